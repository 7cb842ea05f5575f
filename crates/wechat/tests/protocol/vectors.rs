//! The published vectors of message encryption: official documents (C1, C2), WeCom's sample code (C3, C4), the official
//! demo for official accounts (C5); the names with R are replies. The keys of C3 to C5 have spare bits that are not zero.

use wechat::envelope::{EncodingAesKey, Envelope};
use wechat::signature::message_signature;

pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) token: &'static str,
    pub(crate) key: &'static str,
    pub(crate) receive_id: &'static str,
    pub(crate) timestamp: &'static str,
    pub(crate) nonce: &'static str,
    pub(crate) msg_signature: &'static str,
    /// The random bytes, where they are published.
    pub(crate) random: Option<&'static [u8; 16]>,
    pub(crate) plaintext: &'static str,
    pub(crate) encrypt: &'static str,
}

impl Vector {
    pub(crate) fn named(name: &str) -> &'static Self {
        VECTORS.iter().find(|vector| vector.name == name).unwrap()
    }

    pub(crate) fn aes(&self) -> EncodingAesKey {
        EncodingAesKey::parse(self.key).unwrap()
    }

    pub(crate) fn envelope(&self) -> Envelope {
        Envelope::new(&self.aes(), self.receive_id)
    }
}

pub(crate) const VECTORS: [Vector; 7] = [
    Vector {
        name: "C1",
        token: "AAAAA",
        key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        receive_id: "wxba5fad812f8e6fb9",
        timestamp: "1714112445",
        nonce: "415670741",
        msg_signature: "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
        random: Some(b"a8eedb185eb2fecf"),
        plaintext: r#"{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}"#,
        encrypt: concat!(
            "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzD",
            "pVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2I",
            "uQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F",
            "9mFUPAJGj04=",
        ),
    },
    Vector {
        name: "C1R",
        token: "AAAAA",
        key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        receive_id: "wxba5fad812f8e6fb9",
        timestamp: "1713424427",
        nonce: "415670741",
        msg_signature: "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
        random: Some(b"707722b803182950"),
        plaintext: r#"{"demo_resp":"good luck"}"#,
        encrypt: "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
    },
    Vector {
        name: "C2",
        token: "AAAAA",
        key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        receive_id: "wx134c8103faa5a59e",
        timestamp: "1715943329",
        nonce: "1590219412",
        msg_signature: "6c12a4205838198b8fa631b3220723bb07f1015c",
        random: Some(b"1205899eaf019bbd"),
        plaintext: "<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>\n<FromUserName><![CDATA[o9AgO5Kd5ggOC-bXrbNODIiE3bGY]]></FromUserName>\n<CreateTime>1715943329</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[debug_demo]]></Event>\n<debug_str><![CDATA[hello world]]></debug_str>\n</xml>",
        encrypt: concat!(
            "D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oA",
            "bqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGm",
            "y0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4K",
            "N5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfU",
            "fe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==",
        ),
    },
    Vector {
        name: "C2R",
        token: "AAAAA",
        key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        receive_id: "wx134c8103faa5a59e",
        timestamp: "1713424427",
        nonce: "415670741",
        msg_signature: "03e0812039325c2712ef5f0f980fd14c70d6e307",
        random: Some(b"999951349e8ee746"),
        plaintext: r#"<xml><demo_resp>[CDATA[good luck]]</demo_resp></xml>"#,
        encrypt: concat!(
            "hE8R6mGXHkJJjU72KxzKUd1GEkKJaEZq7vRL8XgK3o+00k8JGq6+pZJUIlTSyhsX+bxIBQ72g3GyvDdIZcr6+3HAZbSvPT9t",
            "/o11MI7d6WELwqrGd7jMnV0zv3Zc9Nq7",
        ),
    },
    Vector {
        name: "C3",
        token: "QDG6eK",
        key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        receive_id: "wx5823bf96d3bd56c7",
        timestamp: "1409659589",
        nonce: "263014780",
        msg_signature: "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        random: None,
        plaintext: r#"1616140317555161061"#,
        encrypt: "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
    },
    Vector {
        name: "C4",
        token: "QDG6eK",
        key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        receive_id: "wx5823bf96d3bd56c7",
        timestamp: "1409659813",
        nonce: "1372623149",
        msg_signature: "477715d11cdb4164915debcba66cb864d751f3e6",
        random: Some(b"0960688932c47ef1"),
        plaintext: "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>\n<FromUserName><![CDATA[mycreate]]></FromUserName>\n<CreateTime>1409659813</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[hello]]></Content>\n<MsgId>4561255354251345929</MsgId>\n<AgentID>218</AgentID>\n</xml>",
        encrypt: concat!(
            "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911",
            "L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLx",
            "AUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9",
            "nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/u",
            "h9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==",
        ),
    },
    Vector {
        name: "C5",
        token: "pamtest",
        key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        receive_id: "wxb11529c136998cb6",
        timestamp: "1409304348",
        nonce: "xxxxxx",
        msg_signature: "82c962d39941aa48552f90ef55aa323dc620cc10",
        random: Some(b"aaaabbbbccccdddd"),
        plaintext: r#"我是中文abcd123"#,
        encrypt: "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
    },
];

#[test]
fn the_published_signatures_come_out() {
    for v in &VECTORS {
        let signature = message_signature(v.token, v.timestamp, v.nonce, v.encrypt);
        assert_eq!(signature, v.msg_signature, "{}", v.name);
    }
}

#[test]
fn the_published_ciphertexts_are_opened() {
    for v in &VECTORS {
        assert_eq!(v.envelope().open(v.encrypt).unwrap(), v.plaintext.as_bytes(), "{}", v.name);
    }
}

#[test]
fn sealing_with_the_published_random_bytes_gives_the_published_ciphertexts() {
    let mut count = 0;
    for v in &VECTORS {
        let Some(random) = v.random else { continue };
        assert_eq!(v.envelope().seal(v.plaintext.as_bytes(), *random), v.encrypt, "{}", v.name);
        count += 1;
    }
    assert_eq!(count, 6);
}
