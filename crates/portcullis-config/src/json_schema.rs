//! The layout as JSON Schema 2020-12, for editors.

use serde_json::{Map, Value, json};

use crate::schema::{Description, Field, Root, Section as _, Shape};

/// The JSON Schema of a configuration file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(&Root::description());
    if let Value::Object(object) = &mut schema {
        object.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        object.insert(
            "$id".to_owned(),
            json!("https://portcullis.example/schema/portcullis.schema.json"),
        );
        object.insert("title".to_owned(), json!("Portcullis configuration"));
    }
    schema
}

fn table(description: &Description) -> Value {
    let properties: Map<String, Value> = description
        .fields
        .iter()
        .map(|field| (field.key.to_owned(), property(field)))
        .collect();
    let required: Vec<&str> = description
        .fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.key)
        .collect();
    let mut table = json!({
        "type": "object",
        "description": prose(description.doc),
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Value::Object(object), false) = (&mut table, required.is_empty()) {
        object.insert("required".to_owned(), json!(required));
    }
    table
}

fn property(field: &Field) -> Value {
    let mut property = shape(&field.shape);
    if let Value::Object(object) = &mut property {
        object.insert("description".to_owned(), json!(prose(field.doc)));
        if let Some(default) = field.default.as_deref().and_then(default_json) {
            object.insert("default".to_owned(), default);
        }
    }
    property
}

/// A default written in TOML, as JSON. Empty tables stand for a section's own defaults and say nothing.
fn default_json(text: &str) -> Option<Value> {
    if text == "{}" {
        return None;
    }
    // Defaults are literals, lists of literals and booleans, which both languages write alike.
    serde_json::from_str(text).ok()
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text { example, .. } => json!({ "type": "string", "examples": [example] }),
        Shape::Words(words) => {
            json!({ "enum": words.iter().map(|(word, _)| word).collect::<Vec<_>>() })
        }
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::List(item) => json!({ "type": "array", "items": self::shape(item) }),
        Shape::Map { value, .. } => {
            json!({ "type": "object", "additionalProperties": self::shape(value) })
        }
        Shape::Table(description) => table(description),
        Shape::Condition => json!({ "$ref": "#/properties/condition/additionalProperties" }),
        Shape::AnyOf(shapes) => {
            json!({ "anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>() })
        }
    }
}

/// Doc text on one line.
fn prose(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_object_is_closed_and_described() {
        fn walk(value: &Value, objects: &mut usize) {
            if value["type"] == "object" {
                *objects += 1;
                assert!(value.get("additionalProperties").is_some(), "{value}");
            }
            match value {
                Value::Object(map) => map.values().for_each(|v| walk(v, objects)),
                Value::Array(items) => items.iter().for_each(|v| walk(v, objects)),
                _ => {}
            }
        }
        let mut objects = 0;
        walk(&schema(), &mut objects);
        assert!(objects > 20, "{objects}");
    }

    #[test]
    fn defaults_and_required_keys_are_in_it() {
        let schema = schema();
        let listener = &schema["properties"]["listener"]["additionalProperties"];
        assert_eq!(listener["properties"]["backlog"]["default"], 4096);
        assert_eq!(listener["required"], json!(["bind"]));
        assert_eq!(
            listener["properties"]["protocols"]["default"],
            json!(["h2", "http/1.1"])
        );
    }
}
