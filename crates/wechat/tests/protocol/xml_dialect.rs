//! What the XML reader takes, what it refuses, and that both take linear time.

use wechat::document::{Element, MAX_DEPTH, MAX_PARTS, Text};
use wechat::xml::{XmlError, read, write};

fn text_of(xml: &str) -> Text<'static> {
    let xml = format!("<xml>{xml}</xml>");
    let root = read(xml.as_bytes()).unwrap_or_else(|error| panic!("{xml}: {error}"));
    root.child("a").unwrap().text.clone().into_owned()
}

fn refused(xml: &str) -> XmlError {
    match read(xml.as_bytes()) {
        Err(error) => error,
        Ok(root) => panic!("{xml} was read as {root:?}"),
    }
}

#[test]
fn text_is_quoted_or_bare() {
    let quoted = |text: &'static str| Text::Quoted(text.into());
    let bare = |text: &'static str| Text::Bare(text.into());
    let cases = [
        ("<a/>", Text::Empty),
        ("<a></a>", Text::Empty),
        ("<a>  </a>", bare("  ")),
        ("<a>15</a>", bare("15")),
        ("<a> x y </a>", bare(" x y ")),
        ("<a>&lt;b&gt; &#20013;</a>", bare("<b> 中")),
        ("<a>[CDATA[good luck]]</a>", bare("[CDATA[good luck]]")),
        ("<a>]]></a>", bare("]]>")),
        ("<a><![CDATA[]]></a>", quoted("")),
        ("<a><![CDATA[<b>&amp;]]></a>", quoted("<b>&amp;")),
        ("<a>\n<![CDATA[x]]>\n</a>", quoted("x")),
        ("<a><![CDATA[x]]]]><![CDATA[>y]]></a>", quoted("x]]>y")),
        ("<a>1<![CDATA[2]]>3</a>", quoted("123")),
        ("<a>1<!-- no -->2<?no?>3</a>", bare("123")),
        ("<a\n>x</a\n>", bare("x")),
        ("<a>\u{7}</a>", bare("\u{7}")),
    ];
    for (xml, text) in cases {
        assert_eq!(text_of(xml), text, "{xml}");
    }
}

#[test]
fn what_stands_around_the_root_is_skipped() {
    let around = "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- a --><xml><a>1</a></xml><!-- b -->\n";
    assert_eq!(read(around.as_bytes()).unwrap().child_text("a"), Some("1"));
}

#[test]
fn attributes_and_mixed_content_are_kept() {
    let root = read(b"<xml v='1' w=\"a&quot;&#10;\">x<a/>y</xml>").unwrap();
    let attributes: Vec<_> = root.attributes.iter().map(|one| (one.name.as_ref(), one.value.as_ref())).collect();
    assert_eq!(attributes, [("v", "1"), ("w", "a\"\n")]);
    assert_eq!((root.text.as_str(), root.children.len()), ("xy", 1));
    assert_eq!(read(&write(&root)).unwrap(), root);
}

#[test]
fn declarations_are_refused_wherever_they_stand() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><xml><a>&b;</a></xml>";
    assert_eq!(refused(bomb), XmlError::Declaration(0));
    let external = "<?xml version=\"1.0\"?><!DOCTYPE x SYSTEM \"file:///etc/passwd\"><xml/>";
    assert!(matches!(refused(external), XmlError::Declaration(_)));
    assert!(matches!(refused("<xml><!ENTITY a \"b\"></xml>"), XmlError::Declaration(_)));
    assert!(matches!(refused("<xml><![cdata[x]]></xml>"), XmlError::Declaration(_)));
    assert!(matches!(refused("<xml/><!DOCTYPE x>"), XmlError::Declaration(_)));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let cases = [
        ("", XmlError::Cut),
        ("<", XmlError::Cut),
        ("<xml", XmlError::Cut),
        ("<xml>", XmlError::Cut),
        ("<xml><a>1</a>", XmlError::Cut),
        ("<xml><![CDATA[", XmlError::Cut),
        ("<xml a=\"", XmlError::Cut),
        ("<xml></xml", XmlError::Cut),
        ("hello", XmlError::Tag(0)),
        ("<xml><a></b></xml>", XmlError::Closing(10)),
        ("<xml><a></ab></xml>", XmlError::Tag(11)),
        ("<xml>a < b</xml>", XmlError::Tag(8)),
        ("<xml>&nbsp;</xml>", XmlError::Reference(11)),
        ("<xml>a & b</xml>", XmlError::Reference(10)),
        ("<xml a='&b;'/>", XmlError::Reference(12)),
        ("<xml a='<'/>", XmlError::Tag(10)),
        ("<xml a=1/>", XmlError::Tag(7)),
        ("<xml a/>", XmlError::Tag(6)),
        ("<xml a='1'b='2'/>", XmlError::Tag(10)),
        ("<xml a='1' a='2'/>", XmlError::Tag(16)),
        ("<xml/>x", XmlError::AfterRoot(6)),
        ("<xml/><xml/>", XmlError::AfterRoot(6)),
        ("<root/>", XmlError::Root),
        ("<XML/>", XmlError::Root),
        ("<1/>", XmlError::Tag(1)),
        ("< xml/>", XmlError::Tag(1)),
        ("</xml>", XmlError::Tag(2)),
    ];
    for (xml, error) in cases {
        assert_eq!(refused(xml), error, "{xml}");
    }
    assert_eq!(read(b"<xml>\xFF</xml>"), Err(XmlError::Encoding(5)));
    let utf16: Vec<u8> = "\u{FEFF}<xml/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(&utf16).is_err());
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "<xml>".repeat(depth), "</xml>".repeat(depth));
    assert!(read(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(refused(&nested(MAX_DEPTH + 1)), XmlError::Depth);
    assert_eq!(refused(&"<xml>".repeat(300_000)), XmlError::Depth);
    let wide = |count: usize| format!("<xml>{}</xml>", "<a/>".repeat(count));
    assert!(read(wide(MAX_PARTS - 1).as_bytes()).is_ok());
    assert_eq!(refused(&wide(MAX_PARTS)), XmlError::Parts);
    let many_attributes: String = (0..33).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(refused(&format!("<xml{many_attributes}/>")), XmlError::Parts);
    for length in [129, 1_000_000] {
        assert!(matches!(refused(&format!("<{}/>", "x".repeat(length))), XmlError::Name(_)));
    }
}

/// One MiB of what makes naive readers slow. Each takes some milliseconds; were it quadratic, hours.
#[test]
fn hostile_inputs_take_linear_time() {
    let size = 1 << 20;
    let fill = |prefix: &str, part: &str, suffix: &str| {
        format!("{prefix}{}{suffix}", part.repeat((size - prefix.len() - suffix.len()) / part.len()))
    };
    let inputs = [
        fill("<xml><a>", "&amp;", "</a></xml>"),
        fill("<xml><a>", "&", "</a></xml>"),
        fill("<xml><a><![CDATA[", "]]", "]]></a></xml>"),
        fill("<xml><a>", "<![CDATA[]]>", "</a></xml>"),
        fill("<xml><a>", "<![CDATA[x]]> ", "</a></xml>"),
        fill("<xml><a>", "<!---->", "</a></xml>"),
        fill("<xml><a>", " <?a?>", "</a></xml>"),
        fill("<xml a='", "x", "'/>"),
        fill("<xml>", "<a>", ""),
        fill("<xml>", "x<a/>", "</xml>"),
        fill("", "<!---->", "<xml/>"),
    ];
    for input in inputs {
        let _ = read(input.as_bytes());
        let _ = wechat::json::xml_to_json(input.as_bytes());
    }
}

#[test]
fn the_writer_writes_what_wechat_writes() {
    let root = Element::with(
        "xml",
        vec![
            Element::quoted("ToUserName", "oABC"),
            Element::number("CreateTime", 1_700_000_001),
            Element::quoted("Content", "a]]>b]]>"),
            Element::new("Empty"),
            Element::with("Image", vec![Element::quoted("MediaId", "M")]),
        ],
    );
    let expected = "<xml><ToUserName><![CDATA[oABC]]></ToUserName><CreateTime>1700000001</CreateTime>\
                    <Content><![CDATA[a]]]]><![CDATA[>b]]]]><![CDATA[>]]></Content><Empty></Empty>\
                    <Image><MediaId><![CDATA[M]]></MediaId></Image></xml>";
    assert_eq!(String::from_utf8(write(&root)).unwrap(), expected);
}

#[test]
fn what_xml_cannot_hold_is_replaced() {
    let root = Element::with("xml", vec![Element::quoted("a", "\u{0}x\u{FFFF}\t\r\n😀")]);
    let written = write(&root);
    assert_eq!(read(&written).unwrap().child_text("a"), Some("\u{FFFD}x\u{FFFD}\t\r\n😀"));
}
