//! Whatever is opened must not make it panic; whatever is sealed is opened again; and what opens by chance
//! is the same after another round.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::envelope::{EncodingAesKey, Envelope};

fuzz_target!(|data: &[u8]| {
    let key = EncodingAesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").expect("a key");
    let (receive_id, message) = data.split_at(data.len().min(usize::from(data.first().copied().unwrap_or(0) % 40)));
    let receive_id = String::from_utf8_lossy(receive_id);
    let envelope = Envelope::new(&key, &receive_id);

    let sealed = envelope.seal(message, [7; 16]);
    assert_eq!(envelope.open(&sealed).as_deref(), Ok(message));

    let text = String::from_utf8_lossy(data);
    if let Ok(opened) = envelope.open(&text) {
        assert_eq!(envelope.open(&envelope.seal(&opened, [0; 16])), Ok(opened));
    }
    if let Ok(key) = EncodingAesKey::parse(&text) {
        let envelope = Envelope::new(&key, "");
        assert_eq!(envelope.open(&envelope.seal(data, [1; 16])).as_deref(), Ok(data));
    }
});
