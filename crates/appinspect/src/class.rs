//! Java classes: the constants of the pool, and the code that uses them.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use noak::MStr;
use noak::error::DecodeError;
use noak::reader::attributes::{Code, ConstantValue, RawInstruction};
use noak::reader::cpool::{self, ConstantPool, Item};
use noak::reader::{Class, Method};

use crate::finding::FindingKind;
use crate::flow::{FlowSlot, FlowValue};
use crate::inspection::Inspection;
use crate::text::{TextKind, classify};

/// Maximum length of an array whose elements are followed.
const MAX_ARRAY: usize = 256;

/// Tells by the first bytes whether a part is a Java class.
pub(crate) fn is_class(head: &[u8]) -> bool {
    // A binary of macOS for several processors begins alike, and goes on with their small number instead of a version.
    head.starts_with(&[0xca, 0xfe, 0xba, 0xbe]) && head.get(7).is_some_and(|major| *major >= 45)
}

/// Reads a class.
pub(crate) fn read(inspection: &mut Inspection<'_>, bytes: &[u8], place: &str) {
    let class = match Class::new(bytes) {
        Ok(class) => class,
        Err(error) => {
            inspection
                .findings
                .problem(place, format!("damaged: {error}"));
            return;
        }
    };
    inspection.parts += 1;
    let name = class
        .pool()
        .retrieve(class.this_class())
        .map_or_else(|_| "?".to_owned(), |class| text(class.name));
    let place: Rc<str> = format!("{place}: {}", name.replace('/', ".")).into();
    for item in class.pool().iter() {
        if let Item::String(string) = item
            && let Ok(string) = class.pool().retrieve(string.string)
        {
            let (known, findings) = (inspection.known, &mut inspection.findings);
            classify(
                &text(string),
                TextKind::Constant,
                known,
                &mut |kind, value| findings.add(kind, value, &place),
            );
        }
    }
    let mut reader = ClassReader {
        inspection,
        pool: class.pool(),
        class: format!("L{name};"),
        place,
    };
    if let Err(error) = reader.fields(&class).and_then(|()| reader.methods(&class)) {
        reader.inspection.findings.problem(
            &reader.place,
            format!("damaged, read as far as possible: {error}"),
        );
    }
}

fn text(string: &MStr) -> String {
    string.chars_lossy().collect()
}

struct ClassReader<'i, 'a, 'c> {
    inspection: &'i mut Inspection<'a>,
    pool: &'c ConstantPool<'c>,
    class: String,
    place: Rc<str>,
}

impl<'c> ClassReader<'_, '_, 'c> {
    fn number(&mut self, number: i32) {
        if u16::try_from(number).is_ok_and(|port| self.inspection.known.ports.contains(&port)) {
            self.inspection
                .findings
                .add(FindingKind::Port, &number.to_string(), &self.place);
        }
    }

    fn constant(&mut self, index: cpool::Index<Item<'c>>) -> Option<FlowValue> {
        match self.pool.get(index).ok()? {
            Item::String(string) => {
                let text = text(self.pool.retrieve(string.string).ok()?);
                Some(FlowValue::Text(self.inspection.flow.intern(&text)))
            }
            Item::Integer(number) => {
                self.number(number.value);
                Some(FlowValue::Number(number.value))
            }
            _ => None,
        }
    }

    /// Takes the values of constant fields.
    fn fields(&mut self, class: &Class<'c>) -> Result<(), DecodeError> {
        for field in class.fields().iter() {
            let field = field?;
            let name = text(self.pool.retrieve(field.name())?);
            let Some(constant) = field
                .attributes()
                .find_attribute::<ConstantValue<'c>>(self.pool)?
            else {
                continue;
            };
            let Some(value) = self.constant(constant.value()) else {
                continue;
            };
            if let FlowValue::Number(number) = value
                && is_port_name(&name)
                && (1..=65535).contains(&number)
            {
                self.inspection
                    .findings
                    .add(FindingKind::Port, &number.to_string(), &self.place);
            }
            let id = self.inspection.flow.field(&self.class, &name);
            self.inspection
                .flow
                .assign(value, FlowSlot::Field(id), &self.place);
        }
        Ok(())
    }

    fn methods(&mut self, class: &Class<'c>) -> Result<(), DecodeError> {
        for method in class.methods().iter() {
            let method = method?;
            if let Some(code) = method.attributes().find_attribute::<Code<'c>>(self.pool)? {
                self.code(&method, &code)?;
            }
        }
        Ok(())
    }

    fn code(&mut self, method: &Method<'c>, code: &Code<'c>) -> Result<(), DecodeError> {
        let name = text(self.pool.retrieve(method.name())?);
        let descriptor = text(self.pool.retrieve(method.descriptor())?);
        let is_static = method.access_flags().contains(noak::AccessFlags::STATIC);
        let member = self
            .inspection
            .flow
            .callee(&self.class, &name, &descriptor, is_static)
            .member;
        let mut frame = OperandFrame::default();
        let mut local = 0;
        let instance = if is_static { None } else { Some(1) };
        for width in instance.into_iter().chain(widths(&descriptor)) {
            frame.locals.insert(
                local,
                StackValue::Value(FlowValue::Slot(FlowSlot::Argument(member, local))),
            );
            local = local.saturating_add(width);
        }
        for instruction in code.raw_instructions() {
            let (_, instruction) = instruction?;
            if self.step(&mut frame, member, &instruction).is_none() {
                frame.stack.clear();
            }
        }
        Ok(())
    }
}

/// Tells whether a name is that of a port: `UDP_PORT`, `port`, `localPort`.
pub(crate) fn is_port_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("port")
        || name.ends_with("_PORT")
        || name.starts_with("PORT_")
        || name.contains("_PORT_")
        || name.ends_with("Port")
        || name.ends_with("_port")
}

/// Returns the number of words of each parameter of a descriptor: 2 for `long` and `double`, else 1.
fn widths(descriptor: &str) -> Vec<u16> {
    let (parameters, _) = descriptor.split_once(')').unwrap_or((descriptor, ""));
    let parameters = parameters.trim_start_matches('(');
    let mut widths = Vec::new();
    let mut is_array = false;
    let mut rest = parameters.chars();
    while let Some(c) = rest.next() {
        match c {
            '[' => {
                is_array = true;
                continue;
            }
            'L' => {
                let _ = rest.by_ref().find(|c| *c == ';');
                widths.push(1);
            }
            'J' | 'D' if !is_array => widths.push(2),
            _ => widths.push(1),
        }
        is_array = false;
    }
    widths
}

/// Entry of the operand stack. `long` and `double` take one entry here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StackValue {
    Unknown,
    Value(FlowValue),
    /// Array of bytes or characters that the method fills.
    Array(usize),
}

/// Values that are known at one instruction.
#[derive(Debug, Default)]
struct OperandFrame {
    stack: Vec<StackValue>,
    locals: BTreeMap<u16, StackValue>,
    arrays: Vec<HashMap<usize, u8>>,
}

impl OperandFrame {
    fn push(&mut self, value: Option<FlowValue>) {
        self.stack
            .push(value.map_or(StackValue::Unknown, StackValue::Value));
    }

    fn load(&mut self, index: u16) {
        let value = self.locals.get(&index).copied();
        self.stack.push(value.unwrap_or(StackValue::Unknown));
    }

    fn store(&mut self, index: u16) -> Option<()> {
        let value = self.stack.pop()?;
        self.locals.insert(index, value);
        Some(())
    }

    fn new_array(&mut self) -> Option<()> {
        self.stack.pop()?;
        self.arrays.push(HashMap::new());
        self.stack.push(StackValue::Array(self.arrays.len() - 1));
        Some(())
    }

    fn store_element(&mut self) -> Option<()> {
        let (value, index, array) = (self.stack.pop()?, self.stack.pop()?, self.stack.pop()?);
        if let (
            StackValue::Value(FlowValue::Number(value)),
            StackValue::Value(FlowValue::Number(index)),
            StackValue::Array(array),
        ) = (value, index, array)
            && let Ok(index) = usize::try_from(index)
            && index < MAX_ARRAY
            && let Some(array) = self.arrays.get_mut(array)
        {
            let [byte, ..] = value.to_le_bytes();
            array.insert(index, byte);
        }
        Some(())
    }

    /// Returns the bytes of an array whose elements are known from the first to the last.
    fn array(&self, array: usize) -> Option<Vec<u8>> {
        let array = self.arrays.get(array).filter(|array| !array.is_empty())?;
        (0..array.len())
            .map(|index| array.get(&index).copied())
            .collect()
    }
}

impl<'c> ClassReader<'_, '_, 'c> {
    /// Follows one instruction. Returns nothing for one that is not followed, after which the stack is unknown.
    fn step(
        &mut self,
        frame: &mut OperandFrame,
        member: u32,
        instruction: &RawInstruction<'c>,
    ) -> Option<()> {
        use RawInstruction as I;
        if let Some(number) = small_number(instruction) {
            self.number(number);
            frame.push(Some(FlowValue::Number(number)));
            return Some(());
        }
        if let Some((index, is_store)) = local_variable(instruction) {
            if is_store {
                return frame.store(index);
            }
            frame.load(index);
            return Some(());
        }
        match instruction {
            I::LdC { index } | I::LdCW { index } => {
                let value = self.constant(*index);
                frame.push(value);
            }
            I::AConstNull | I::LConst0 | I::LConst1 | I::New { .. } | I::LdC2W { .. } => {
                frame.push(None);
            }
            I::Dup => frame.stack.push(*frame.stack.last()?),
            I::Pop => {
                frame.stack.pop()?;
            }
            I::CheckCast { .. } | I::I2B | I::I2C | I::I2S | I::Nop => {}
            I::ArrayLength | I::ANewArray { .. } => {
                frame.stack.pop()?;
                frame.push(None);
            }
            I::NewArray { .. } => frame.new_array()?,
            I::AAStore | I::BAStore | I::CAStore => frame.store_element()?,
            I::GetStatic { index } => {
                let slot = self.field(*index)?;
                frame.push(Some(FlowValue::Slot(slot)));
            }
            I::GetField { index } => {
                frame.stack.pop()?;
                let slot = self.field(*index)?;
                frame.push(Some(FlowValue::Slot(slot)));
            }
            I::PutStatic { index } => self.put(frame, *index)?,
            I::PutField { index } => {
                self.put(frame, *index)?;
                frame.stack.pop()?;
            }
            I::AReturn | I::IReturn => {
                let value = frame.stack.pop()?;
                self.assign(frame, value, FlowSlot::Result(member));
            }
            I::InvokeVirtual { index } => self.call(frame, index.as_u16(), false)?,
            I::InvokeInterface { index, .. } => self.call(frame, index.as_u16(), false)?,
            I::InvokeSpecial { index } => self.call(frame, index.as_u16(), false)?,
            I::InvokeStatic { index } => self.call(frame, index.as_u16(), true)?,
            _ => return None,
        }
        Some(())
    }

    fn put(
        &mut self,
        frame: &mut OperandFrame,
        index: cpool::Index<cpool::FieldRef<'c>>,
    ) -> Option<()> {
        let slot = self.field(index)?;
        let value = frame.stack.pop()?;
        self.assign(frame, value, slot);
        Some(())
    }

    fn assign(&mut self, frame: &OperandFrame, value: StackValue, slot: FlowSlot) {
        if let Some(value) = self.value(frame, value) {
            self.inspection.flow.assign(value, slot, &self.place);
        }
    }

    fn value(&mut self, frame: &OperandFrame, value: StackValue) -> Option<FlowValue> {
        match value {
            StackValue::Unknown => None,
            StackValue::Value(value) => Some(value),
            StackValue::Array(array) => self.inspection.flow.store(&frame.array(array)?),
        }
    }

    fn field(&mut self, index: cpool::Index<cpool::FieldRef<'c>>) -> Option<FlowSlot> {
        let field = self.pool.retrieve(index).ok()?;
        let class = format!("L{};", text(field.class.name));
        Some(FlowSlot::Field(
            self.inspection
                .flow
                .field(&class, &text(field.name_and_type.name)),
        ))
    }

    fn call(&mut self, frame: &mut OperandFrame, index: u16, is_static: bool) -> Option<()> {
        let item = self
            .pool
            .get(cpool::Index::<Item<'c>>::new(index).ok()?)
            .ok()?;
        let (class, name_and_type) = match item {
            Item::MethodRef(method) => (method.class, method.name_and_type),
            Item::InterfaceMethodRef(method) => (method.class, method.name_and_type),
            _ => return None,
        };
        let class = text(self.pool.retrieve(class).ok()?.name);
        let class = if class.starts_with('[') {
            class
        } else {
            format!("L{class};")
        };
        let name_and_type = self.pool.retrieve(name_and_type).ok()?;
        let (name, descriptor) = (text(name_and_type.name), text(name_and_type.descriptor));
        let widths = widths(&descriptor);
        let count = widths.len() + usize::from(!is_static);
        let first = frame.stack.len().checked_sub(count)?;
        let taken = frame.stack.split_off(first);
        let instance = if is_static {
            None
        } else {
            taken.first().copied()
        };
        // As words, so that positions are those of the local variables of the method.
        let mut arguments = Vec::new();
        let all_widths = (!is_static).then_some(1).into_iter().chain(widths);
        for (value, width) in taken.into_iter().zip(all_widths) {
            arguments.push(self.value(frame, value));
            arguments.extend((1..width).map(|_| None));
        }
        let callee = self
            .inspection
            .flow
            .callee(&class, &name, &descriptor, is_static);
        let result = self.inspection.flow.call(&callee, &arguments, &self.place);
        if callee.makes_text {
            // `new String(…)`: the copy of the new object that is still on the stack.
            let made = arguments.get(1).copied().flatten();
            if instance == Some(StackValue::Unknown)
                && let (Some(made), Some(top)) = (made, frame.stack.last_mut())
                && *top == StackValue::Unknown
            {
                *top = StackValue::Value(made);
            }
        }
        if !descriptor.ends_with(")V") {
            frame.push(result);
        }
        Some(())
    }
}

/// Returns the number that an instruction pushes.
fn small_number(instruction: &RawInstruction<'_>) -> Option<i32> {
    use RawInstruction as I;
    Some(match instruction {
        I::IConstM1 => -1,
        I::IConst0 => 0,
        I::IConst1 => 1,
        I::IConst2 => 2,
        I::IConst3 => 3,
        I::IConst4 => 4,
        I::IConst5 => 5,
        I::BIPush { value } => i32::from(*value),
        I::SIPush { value } => i32::from(*value),
        _ => return None,
    })
}

/// Returns the local variable that an instruction loads or stores; true for a store.
fn local_variable(instruction: &RawInstruction<'_>) -> Option<(u16, bool)> {
    use RawInstruction as I;
    Some(match instruction {
        I::ALoad0 | I::ILoad0 | I::LLoad0 => (0, false),
        I::ALoad1 | I::ILoad1 | I::LLoad1 => (1, false),
        I::ALoad2 | I::ILoad2 | I::LLoad2 => (2, false),
        I::ALoad3 | I::ILoad3 | I::LLoad3 => (3, false),
        I::ALoad { index } | I::ILoad { index } | I::LLoad { index } => (u16::from(*index), false),
        I::ALoadW { index } | I::ILoadW { index } | I::LLoadW { index } => (*index, false),
        I::AStore0 | I::IStore0 | I::LStore0 => (0, true),
        I::AStore1 | I::IStore1 | I::LStore1 => (1, true),
        I::AStore2 | I::IStore2 | I::LStore2 => (2, true),
        I::AStore3 | I::IStore3 | I::LStore3 => (3, true),
        I::AStore { index } | I::IStore { index } | I::LStore { index } => {
            (u16::from(*index), true)
        }
        I::AStoreW { index } | I::IStoreW { index } | I::LStoreW { index } => (*index, true),
        _ => return None,
    })
}
