//! JSON merge patch (RFC 7396): named fields change, null resets.

use serde_json::{Map, Value};

/// Applies a merge patch to an object. Implemented here in a dozen lines, because the available crates bring JSON Patch and JSON
/// Pointer as well.
pub fn merge_patch(object: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => drop(object.remove(&name)),
            Value::Object(change) => {
                let value = object.entry(name).or_insert(Value::Null);
                if !value.is_object() {
                    *value = Value::Object(Map::new());
                }
                if let Value::Object(value) = value {
                    merge_patch(value, change);
                }
            }
            change => drop(object.insert(name, change)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (original, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ] {
            let (Value::Object(mut object), Value::Object(patch)) = (original, patch) else {
                panic!("not objects");
            };
            merge_patch(&mut object, patch);
            assert_eq!(Value::Object(object), result);
        }
    }
}
