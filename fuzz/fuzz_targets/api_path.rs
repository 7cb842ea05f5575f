//! A path of WeChat's API reads in one way: its normal form is its own, and holds nothing that a server decodes or resolves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::api_path::{ApiPath, MAX_PATH_LENGTH};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let Ok(path) = ApiPath::parse(&text) else { return };
    let normal = path.as_str();
    assert!(normal.starts_with('/') && !normal.ends_with('/') && normal.len() <= MAX_PATH_LENGTH);
    assert!(normal.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b)));
    assert!(!normal.contains("..") && !normal.contains("//") && !normal.contains("/./") && !normal.ends_with("/."));
    assert_eq!(ApiPath::parse(normal).as_ref(), Ok(&path));
    assert_eq!(path.segments().map(|name| format!("/{name}")).collect::<String>(), normal);

    // The first name counts, whatever stands around it.
    let around = format!("/./x/%2e./{normal}/");
    assert_eq!(ApiPath::parse(&around).as_ref(), Ok(&path));
});
