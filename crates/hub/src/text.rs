//! Types whose JSON is their text, and how much of a stranger's text is repeated to him.

/// Gives types that are read with `FromStr` and written with `Display` the same form in JSON.
macro_rules! json_is_text {
    ($($kind:ty),+ $(,)?) => {$(
        impl serde::Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

pub(crate) use json_is_text;

/// Returns as much of a stranger's text as a message can carry.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
