use carillon_domain::template::Variable;
use carillon_domain::{Error, FieldError};
use serde_json::{Map, Value};

/// Whether everything that the template declares as required was given. Null is not given.
///
/// # Errors
/// `validation_failed`, with code `missing_variable` and pointer `/variables/<name>` for each that is missing.
pub fn check_variables(declared: &[Variable], given: &Map<String, Value>) -> Result<(), Error> {
    let missing: Vec<FieldError> = declared
        .iter()
        .filter(|variable| variable.required && given.get(&variable.name).is_none_or(Value::is_null))
        .map(|variable| missing(&variable.name))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::invalid_fields(missing)) }
}

fn missing(name: &str) -> FieldError {
    let pointer = format!("/variables/{}", name.replace('~', "~0").replace('/', "~1"));
    FieldError::new(pointer, "missing_variable", format!("the template needs the variable \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named() {
        let variable = |name: &str, required| Variable { name: name.into(), required, description: None };
        let declared =
            [variable("name", true), variable("order", true), variable("note", false), variable("a/b", true)];
        let given = serde_json::json!({ "name": "Ada", "order": null });
        let error = check_variables(&declared, given.as_object().unwrap()).unwrap_err();
        let pointers: Vec<_> = error.fields.iter().map(|field| (field.pointer.as_str(), &*field.code)).collect();
        assert_eq!(pointers, [("/variables/order", "missing_variable"), ("/variables/a~1b", "missing_variable")]);
        assert!(error.detail.contains("\"order\""));
    }
}
