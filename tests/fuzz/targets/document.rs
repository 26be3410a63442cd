//! Any octets as a document: what is accepted is JSON with the same values, and is written as it can be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pkce_tools::Document;
use serde_json::Value;

fuzz_target!(|octets: &[u8]| {
    let theirs: Result<Value, _> = serde_json::from_slice(octets);
    match Document::parse(octets) {
        Ok(document) => {
            let line = document.line();
            let controls = line.trim_end_matches('\n').chars().any(char::is_control);
            assert!(!controls, "a control character is written");
            let again = Document::parse(line.as_bytes()).expect("what was written can be read");
            assert_eq!(*again.line(), *line);
            // A number that no double holds is kept here and refused there.
            if let Ok(theirs) = theirs {
                assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON"), theirs);
            }
        }
        Err(wrong) => {
            let ours_alone = ["duplicate", "nested deeper", "larger than"].iter().any(|reason| wrong.contains(reason));
            assert!(ours_alone || !theirs.is_ok_and(|value| value.is_object()), "refused: {wrong}");
        }
    }
});
