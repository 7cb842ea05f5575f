//! XML to JSON and back: the samples of the documents, and the corners of each rule.

use wechat::json::{JsonError, json_to_xml, xml_to_json};

fn to_json(xml: &str) -> String {
    String::from_utf8(xml_to_json(xml.as_bytes()).unwrap_or_else(|error| panic!("{xml}: {error}"))).unwrap()
}

fn to_xml(json: &str) -> String {
    String::from_utf8(json_to_xml(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))).unwrap()
}

/// The same message in both forms.
#[track_caller]
fn pair(xml: &str, json: &str) {
    assert_eq!(to_json(xml), json);
    assert_eq!(to_xml(json), xml);
}

#[test]
fn a_text_message() {
    pair(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oABC]]></FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hi]]></Content>\
         <MsgId>24388888888888888</MsgId></xml>",
        r#"{"ToUserName":"gh_0123456789ab","FromUserName":"oABC","CreateTime":1700000000,"MsgType":"text","Content":"hi","MsgId":24388888888888888}"#,
    );
}

#[test]
fn voice_and_location_messages() {
    pair(
        "<xml><MsgType><![CDATA[voice]]></MsgType><MediaId><![CDATA[M1]]></MediaId><Format><![CDATA[amr]]></Format>\
         <Recognition><![CDATA[text]]></Recognition><MsgId>1</MsgId><MediaId16K><![CDATA[M2]]></MediaId16K></xml>",
        r#"{"MsgType":"voice","MediaId":"M1","Format":"amr","Recognition":"text","MsgId":1,"MediaId16K":"M2"}"#,
    );
    pair(
        "<xml><Location_X>23.134521</Location_X><Location_Y>113.358803</Location_Y><Scale>20</Scale>\
         <Label><![CDATA[place]]></Label></xml>",
        r#"{"Location_X":23.134521,"Location_Y":113.358803,"Scale":20,"Label":"place"}"#,
    );
}

#[test]
fn menu_events_with_containers() {
    pair(
        "<xml><Event><![CDATA[scancode_waitmsg]]></Event><ScanCodeInfo><ScanType><![CDATA[qrcode]]></ScanType>\
         <ScanResult><![CDATA[2]]></ScanResult></ScanCodeInfo></xml>",
        r#"{"Event":"scancode_waitmsg","ScanCodeInfo":{"ScanType":"qrcode","ScanResult":"2"}}"#,
    );
    pair(
        "<xml><SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum><![CDATA[5a]]></PicMd5Sum></item></PicList>\
         </SendPicsInfo></xml>",
        r#"{"SendPicsInfo":{"Count":1,"PicList":{"item":[{"PicMd5Sum":"5a"}]}}}"#,
    );
    pair(
        "<xml><SendPicsInfo><Count>2</Count><PicList><item><PicMd5Sum><![CDATA[5a]]></PicMd5Sum></item>\
         <item><PicMd5Sum><![CDATA[1b]]></PicMd5Sum></item></PicList></SendPicsInfo></xml>",
        r#"{"SendPicsInfo":{"Count":2,"PicList":{"item":[{"PicMd5Sum":"5a"},{"PicMd5Sum":"1b"}]}}}"#,
    );
    pair(
        "<xml><SendLocationInfo><Location_X><![CDATA[23]]></Location_X><Poiname><![CDATA[]]></Poiname>\
         </SendLocationInfo></xml>",
        r#"{"SendLocationInfo":{"Location_X":"23","Poiname":""}}"#,
    );
}

#[test]
fn a_picture_list_that_is_repeated_itself() {
    pair(
        "<xml><PicList><item><a>1</a></item></PicList><PicList><item><a>2</a></item></PicList></xml>",
        r#"{"PicList":[{"item":[{"a":1}]},{"item":[{"a":2}]}]}"#,
    );
    pair("<xml><PicList><PicMd5Sum><![CDATA[5a]]></PicMd5Sum></PicList></xml>", r#"{"PicList":[{"PicMd5Sum":"5a"}]}"#);
}

#[test]
fn lists_are_arrays_even_with_one_entry() {
    pair(
        "<xml><Version>2</Version><Count>1</Count><Actions><ActionTime>1546924840</ActionTime>\
         <ActionType>100001</ActionType><ActionMsg><![CDATA[a]]></ActionMsg></Actions></xml>",
        r#"{"Version":2,"Count":1,"Actions":[{"ActionTime":1546924840,"ActionType":100001,"ActionMsg":"a"}]}"#,
    );
    for name in ["DetailList", "detail", "material", "proof_material_id", "fail_idx", "item", "List", "AroundBeacon"] {
        pair(&format!("<xml><{name}>1</{name}></xml>"), &format!(r#"{{"{name}":[1]}}"#));
    }
    pair("<xml><a>1</a><a>2</a></xml>", r#"{"a":[1,2]}"#);
    assert_eq!(to_json("<xml><a>1</a><b>x</b><a>2</a></xml>"), r#"{"a":[1,2],"b":"x"}"#);
    assert_eq!(to_xml(r#"{"a":[1]}"#), "<xml><a>1</a></xml>");
}

#[test]
fn the_published_json_pushes_come_back_unchanged() {
    let pushes = [
        r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":1482048670,"MsgType":"text","Content":"this is a test","MsgId":1234567890123456}"#,
        r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":1482048670,"MsgType":"image","PicUrl":"http://u","MediaId":"M","MsgId":1234567890123456}"#,
        r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":1482048670,"MsgType":"miniprogrampage","MsgId":1234567890123456,"Title":"t","AppId":"wx0","PagePath":"p","ThumbUrl":"u","ThumbMediaId":"M"}"#,
        r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":1482048670,"MsgType":"event","Event":"user_enter_tempsession","SessionFrom":"s"}"#,
        r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":1546924844,"MsgType":"event","Event":"add_express_path","DeliveryID":"SF","WayBillId":"1","OrderId":"1","Version":2,"Count":2,"Actions":[{"ActionTime":1546924840,"ActionType":100001,"ActionMsg":"a"},{"ActionTime":1546924841,"ActionType":200001,"ActionMsg":"b"}]}"#,
        r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":1626959646,"MsgType":"event","Event":"wxa_media_check","appid":"wx0","trace_id":"60f9","version":2,"detail":[{"strategy":"content_model","errcode":0,"suggest":"pass","label":100,"prob":90}],"result":{"suggest":"pass","label":100}}"#,
        r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":1627359464,"MsgType":"event","Event":"user_authorization_revoke","OpenID":"oABC","AppID":"wx0","RevokeInfo":"201"}"#,
        r#"{"ArticleCount":1,"Articles":{"item":[{"Title":"t","Url":"u"}]}}"#,
        r#"{"ToUserName":"oABC","FromUserName":"gh_x","CreateTime":1399197672,"MsgType":"transfer_customer_service"}"#,
    ];
    for push in pushes {
        assert_eq!(to_json(&to_xml(push)), push);
    }
}

#[test]
fn subscription_events_differ_in_both_directions() {
    let xml = "<xml><ToUserName><![CDATA[gh_x]]></ToUserName><FromUserName><![CDATA[oABC]]></FromUserName>\
               <CreateTime>1620973045</CreateTime><MsgType><![CDATA[event]]></MsgType>\
               <Event><![CDATA[subscribe_msg_popup_event]]></Event><SubscribeMsgPopupEvent>\
               <List><TemplateId><![CDATA[T]]></TemplateId><SubscribeStatusString><![CDATA[accept]]>\
               </SubscribeStatusString><PopupScene>0</PopupScene></List></SubscribeMsgPopupEvent></xml>";
    let json = r#"{"ToUserName":"gh_x","FromUserName":"oABC","CreateTime":"1620973045","MsgType":"event","Event":"subscribe_msg_popup_event","List":[{"TemplateId":"T","SubscribeStatusString":"accept","PopupScene":"0"}]}"#;
    assert_eq!(to_json(xml), json);
    assert_eq!(to_xml(json), xml.replace("<PopupScene>0<", "<PopupScene><![CDATA[0]]><"));
    // One template may come as an object of its own.
    let bare = json.replace("[{", "{").replace("}]", "}");
    assert_eq!(to_xml(&bare), to_xml(json));
    for (event, wrapper) in [
        ("subscribe_msg_change_event", "SubscribeMsgChangeEvent"),
        ("subscribe_msg_sent_event", "SubscribeMsgSentEvent"),
    ] {
        pair(
            &format!(
                "<xml><Event><![CDATA[{event}]]></Event><{wrapper}><List><MsgID><![CDATA[1]]></MsgID></List>\
                 <List><MsgID><![CDATA[2]]></MsgID></List></{wrapper}></xml>"
            ),
            &format!(r#"{{"Event":"{event}","List":[{{"MsgID":"1"}},{{"MsgID":"2"}}]}}"#),
        );
    }
    // Other events keep a List where it is.
    pair("<xml><Event><![CDATA[other]]></Event><List>1</List></xml>", r#"{"Event":"other","List":[1]}"#);
}

#[test]
fn numbers_keep_every_digit() {
    let cases = [
        ("9223372036854775807", "9223372036854775807"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551616", r#""18446744073709551616""#),
        ("15.0", "15"),
        ("1.2", "1.2"),
        ("007", r#""007""#),
        ("1e5", r#""1e5""#),
        ("-0", r#""-0""#),
        (" 1", r#"" 1""#),
        ("<![CDATA[201]]>", r#""201""#),
        ("1<![CDATA[2]]>", r#""12""#),
        ("true", r#""true""#),
    ];
    for (xml, json) in cases {
        assert_eq!(to_json(&format!("<xml><a>{xml}</a></xml>")), format!(r#"{{"a":{json}}}"#));
    }
    let cases = [
        ("4561255354251345929", "4561255354251345929"),
        ("1.20", "1.20"),
        ("0.1", "0.1"),
        ("1e5", "100000"),
        ("3.141592653589793238462643", "3.141592653589793238462643"),
        ("true", "true"),
        ("null", ""),
        (r#""""#, "<![CDATA[]]>"),
        ("{}", ""),
        (r#""1""#, "<![CDATA[1]]>"),
    ];
    for (json, xml) in cases {
        assert_eq!(to_xml(&format!(r#"{{"a":{json}}}"#)), format!("<xml><a>{xml}</a></xml>"));
    }
}

#[test]
fn strings_keep_every_character() {
    pair("<xml><a><![CDATA[x]]]]><![CDATA[>y\"\\\n\u{1F600}<&]]></a></xml>", "{\"a\":\"x]]>y\\\"\\\\\\n\u{1F600}<&\"}");
    assert_eq!(to_json("<xml><a>\u{1}\u{1f}\t\r\u{7f}</a></xml>"), "{\"a\":\"\\u0001\\u001f\\t\\r\u{7f}\"}");
    assert_eq!(to_xml(r#"{"a":"\u4e2d\ud83d\ude00\/\b"}"#), "<xml><a><![CDATA[中😀/\u{FFFD}]]></a></xml>");
    assert_eq!(to_xml(r#"{"a":"x\ud83d!"}"#), "<xml><a><![CDATA[x\u{FFFD}!]]></a></xml>");
    assert_eq!(to_xml(r#"{"a":"\ud83d\u0041\ude00"}"#), "<xml><a><![CDATA[\u{FFFD}A\u{FFFD}]]></a></xml>");
}

#[test]
fn what_wechat_never_sends_is_not_lost_either() {
    pair(r#"<xml v="1"><a x="y">5</a></xml>"#, r##"{"@v":"1","a":{"@x":"y","#text":5}}"##);
    assert_eq!(to_json("<xml>text<a>1</a>more</xml>"), r##"{"#text":"textmore","a":1}"##);
    pair("<xml><![CDATA[text]]><a>1</a></xml>", r##"{"#text":"text","a":1}"##);
    pair("<xml></xml>", "{}");
    assert_eq!(to_json("<xml><a/><b></b></xml>"), r#"{"a":"","b":""}"#);
    pair("<xml><a_x0020_b>1</a_x0020_b><_x_>2</_x_></xml>", r#"{"a b":1,"":2}"#);
    pair("<xml><_x0040_a><b>1</b></_x0040_a><_x0040_1>2</_x0040_1></xml>", r#"{"@a":{"b":1},"@1":2}"#);
    pair("<xml><_x0023_text><a>1</a></_x0023_text></xml>", r##"{"#text":{"a":1}}"##);
    let both = r#"<xml a="1"><_x0040_a>2</_x0040_a></xml>"#;
    assert_eq!(to_json(both), r#"{"@a":["1",2]}"#);
    assert_eq!(
        to_xml(r#"{"a":[[1,2],[3]],"b":[],"c":[[]]}"#),
        "<xml><a><item>1</item><item>2</item></a><a><item>3</item></a><c></c></xml>"
    );
    assert_eq!(to_xml(r#"{"a":1,"a":2}"#), "<xml><a>1</a><a>2</a></xml>");
}

#[test]
fn malformed_json_is_refused() {
    let refused = |json: &str| json_to_xml(json.as_bytes()).unwrap_err();
    for json in ["", "[]", "1", "null", "\"a\"", "hello"] {
        assert_eq!(refused(json), JsonError::Root, "{json}");
    }
    for json in ["{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":\"", "{\"a\":[", "{\"a\":[1"] {
        assert_eq!(refused(json), JsonError::Cut, "{json}");
    }
    let malformed = [
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":[1,]}",
        "{\"a\":1}{}",
        "{\"a\":1 2}",
        "{\"a\":\"\\u12G4\"}",
        "{,}",
        "{\"a\":-}",
        "{\"a\":NaN}",
    ];
    for json in malformed {
        assert!(matches!(refused(json), JsonError::Syntax(_)), "{json}");
    }
    assert!(matches!(refused(r#"{"@a":1,"@a":2}"#), JsonError::Twice(_)));
    assert!(matches!(refused(r##"{"#text":1,"#text":2}"##), JsonError::Twice(_)));
    assert_eq!(json_to_xml(b"{\"a\":\"\xFF\"}").unwrap_err(), JsonError::Encoding(6));
    assert_eq!(refused(&"{\"a\":".repeat(100_000)), JsonError::Depth);
    assert_eq!(refused(&format!("{{\"a\":{}", "[".repeat(100_000))), JsonError::Depth);
    assert_eq!(refused(&format!("{{\"a\":[{}1]}}", "1,".repeat(20_000))), JsonError::Parts);
    let attributes: String = (0..33).map(|n| format!("\"@a{n}\":1,")).collect();
    assert_eq!(refused(&format!("{{{attributes}\"b\":1}}")), JsonError::Parts);
    assert!(matches!(refused(&format!("{{\"{}\":1}}", "x".repeat(129))), JsonError::Name(_)));
}

/// One MiB of what makes naive converters slow.
#[test]
fn hostile_json_takes_linear_time() {
    let inputs = [
        format!("{{\"a\":\"{}\"}}", "\\n".repeat(500_000)),
        format!("{{\"a\":\"{}", "\\ud83d".repeat(170_000)),
        format!("{{\"a\":{}}}", "1".repeat(1_000_000)),
        format!("{{\"a\":1e{}}}", "1".repeat(1_000_000)),
        format!("{{{}\"b\":1}}", "\"a\":1,".repeat(19_000)),
        format!("{{{}\"b\":1}}", (0..19_000).map(|n| format!("\"a{n}\":1,")).collect::<String>()),
    ];
    for input in inputs {
        if let Ok(xml) = json_to_xml(input.as_bytes()) {
            let _ = xml_to_json(&xml);
        }
    }
}
