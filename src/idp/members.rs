//! The members of a JSON object.

use serde_json::Value;

/// The object without those of its members that are null.
pub fn without_nulls(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    object
}

/// Removes the member of this name.
pub fn remove(object: &mut Value, name: &str) {
    object.as_object_mut().and_then(|members| members.remove(name));
}
