//! Any octets as the head of a request: a whole one is the same however it arrives, and has a plain target.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pkce_tools::wire::request::{Head, SIZE};

fuzz_target!(|octets: &[u8]| {
    let Head::Whole(request, length) = Head::parse(octets) else { return };
    assert!(length <= SIZE && octets[..length].ends_with(b"\r\n\r\n"));
    assert!(request.path.starts_with('/'));
    assert!(![&request.path, &request.query].iter().any(|part| part.contains([' ', '\r', '\n', '\0'])));
    assert!(request.method.bytes().all(|octet| octet.is_ascii_graphic()));
    // The head ends at the same place whatever follows it, and no part of it is bad or whole.
    let Head::Whole(alone, same) = Head::parse(&octets[..length]) else { panic!("not whole without what follows") };
    assert_eq!((same, &alone.path, &alone.query), (length, &request.path, &request.query));
    for part in 1..16 {
        let cut = length * part / 16;
        assert!(matches!(Head::parse(&octets[..cut]), Head::Partial), "not partial at {cut} of {length}");
    }
});
