//! Any head and body of an announcement. A head is accepted only with `POST` and `/`, a body only
//! if it is a number.
#![no_main]
#![forbid(unsafe_code)]

use exectrail::internals::{check_head, parse_body};
use hyper::{
    HeaderMap, Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str, Vec<&[u8]>, &[u8])| {
    let (method, path, content_types, body) = input;
    if let Ok(method) = Method::from_bytes(method) {
        let mut headers = HeaderMap::new();
        for value in content_types {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(CONTENT_TYPE, value);
            }
        }
        if check_head(&method, path, &headers).is_ok() {
            assert_eq!((method, path), (Method::POST, "/"));
        }
    }
    if let Ok(number) = parse_body(body) {
        let text = std::str::from_utf8(body)
            .expect("only text is accepted")
            .trim();
        assert!(body.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(text.parse::<u64>().ok(), Some(u64::from(number)));
    }
});
