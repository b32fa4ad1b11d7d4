//! Arbitrary JSON for the documents of the API: no panic, and what passes its check is read again as it was written.
#![no_main]

use api::{
    Document, Event, Group, HourPrices, NewToken, PlugSettings, PlugView, Rule, Schedule, Tariff,
    TokenRequest, merge_patch,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn read_twice<T: Document>(json: &Value) {
    let Ok(document) = serde_json::from_value::<T>(json.clone()) else {
        return;
    };
    if document.check().is_ok() {
        let written = serde_json::to_value(&document).expect("a document can be written");
        let again: T = serde_json::from_value(written).expect("what was written can be read");
        assert_eq!(again, document);
        again.check().expect("what was right stays right");
    }
}

fn read_all(json: &Value) {
    read_twice::<Group>(json);
    read_twice::<Schedule>(json);
    read_twice::<Rule>(json);
    read_twice::<Tariff>(json);
    let _ = serde_json::from_value::<HourPrices>(json.clone());
    let _ = serde_json::from_value::<PlugSettings>(json.clone());
    let _ = serde_json::from_value::<PlugView>(json.clone());
    let _ = serde_json::from_value::<NewToken>(json.clone());
    let _ = serde_json::from_value::<TokenRequest>(json.clone());
}

fuzz_target!(|bytes: &[u8]| {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let (first, second) = (values.next(), values.next());
    if let Some(Ok(json)) = &first {
        read_all(json);
        for kind in ["plug", "reading", "availability", "schedule", "rule", "log", "problem"] {
            let _ = Event::parse(kind, &json.to_string());
        }
    }
    if let (Some(Ok(Value::Object(mut object))), Some(Ok(Value::Object(patch)))) = (first, second) {
        merge_patch(&mut object, patch);
        read_all(&Value::Object(object));
    }
});
