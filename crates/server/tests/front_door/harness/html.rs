//! Pages as a browser reads them: elements, attributes with their entities undone, and what a form sends.
//!
//! Written from the HTML standard for what the product's pages may hold, and strict: whatever is not plain and safe fails
//! the test, so that reading a page already shows that nothing from outside got into it unescaped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::caller::Answer;

/// All elements that the pages of a login are made of.
const ELEMENTS: [&str; 20] = [
    "html", "head", "meta", "title", "style", "body", "main", "div", "h1", "p", "form", "input", "button", "script",
    "a", "small", "br", "svg", "path", "rect",
];

/// The only script that they run.
const SUBMIT: &str = "document.forms[0].submit()";

/// An element and the text up to the next tag.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

/// A page of a login.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) status: u16,
    elements: Vec<Element>,
    pub(crate) html: String,
}

/// A form as the browser will send it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) body: String,
}

impl Page {
    /// Reads an answer that must be a page, and one that is safe.
    pub(crate) fn read(answer: &Answer) -> Self {
        let html = answer.text();
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{html}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "strict-origin", "the address holds a code");
        let page = Self { status: answer.status, elements: elements(&html), html };
        page.is_safe(answer.header("content-security-policy"));
        page
    }

    fn is_safe(&self, policy: &str) {
        let (sources, ancestors) =
            policy.split_once("; frame-ancestors ").unwrap_or_else(|| panic!("framed: {policy}"));
        assert!(sources.starts_with("default-src 'none'; ") && sources.ends_with("; base-uri 'none'"), "{policy}");
        assert!(!sources.contains("unsafe") && !sources.contains('*'), "{policy}");
        // The simulated phone is a frame in a page of this machine.
        let local = ["'none'", "http://127.0.0.1:*", "http://localhost:*", "http://*.localhost:*"];
        assert!(ancestors.split(' ').all(|ancestor| local.contains(&ancestor)), "{policy}");
        for element in &self.elements {
            let name = element.name.as_str();
            assert!(ELEMENTS.contains(&name), "<{name}> is none of a login page's: {}", self.html);
            for (attribute, value) in &element.attributes {
                assert!(!attribute.starts_with("on"), "{attribute} runs a script: {}", self.html);
                if matches!(attribute.as_str(), "href" | "src" | "action") {
                    let leads = ["http://", "https://", "/app/"].iter().any(|start| value.starts_with(start));
                    assert!(leads && attribute != "src", "{attribute}={value}");
                }
            }
            if matches!(name, "script" | "style") {
                let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(&element.text)));
                assert!(policy.contains(&hash), "{name} is not what the policy allows: {}", element.text);
            }
            assert!(name != "script" || element.text == SUBMIT, "a script of another kind: {}", element.text);
        }
    }

    fn all(&self, name: &str) -> Vec<&Element> {
        self.elements.iter().filter(|element| element.name == name).collect()
    }

    /// The text of the only heading.
    pub(crate) fn heading(&self) -> &str {
        let headings = self.all("h1");
        assert_eq!(headings.len(), 1, "{}", self.html);
        &headings[0].text
    }

    /// All that a person reads.
    pub(crate) fn text(&self) -> String {
        let shown =
            self.elements.iter().filter(|element| !matches!(element.name.as_str(), "style" | "script" | "title"));
        shown.map(|element| element.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The language of the page.
    pub(crate) fn lang(&self) -> String {
        self.all("html")[0].attribute("lang")
    }

    /// Whether it goes on without the visitor.
    pub(crate) fn goes_on_by_itself(&self) -> bool {
        !self.all("script").is_empty()
    }

    /// Where the links lead, in their order.
    pub(crate) fn links(&self) -> Vec<String> {
        self.all("a").iter().map(|link| link.attribute("href")).collect()
    }

    /// The drawing of the page.
    pub(crate) fn svg(&self) -> &str {
        let (_, rest) = self.html.split_once("<svg").unwrap_or_else(|| panic!("no drawing: {}", self.html));
        rest.split_once("</svg>").unwrap().0
    }

    /// The only form, and there must be one: with a button for browsers without scripts.
    pub(crate) fn form(&self) -> Form {
        let forms = self.all("form");
        assert_eq!((forms.len(), self.all("button").len()), (1, 1), "{}", self.html);
        let form = forms[0];
        assert_eq!(form.attribute("method"), "post");
        assert_eq!(form.attribute("enctype"), "text/plain");
        assert_eq!(form.attribute("accept-charset"), "utf-8");
        let inputs = self.all("input");
        assert!(inputs.iter().all(|input| input.attribute("type") == "hidden"));
        let sent = |text: String| text.replace("\r\n", "\n").replace(['\r', '\n'], "\r\n");
        let fields = inputs.iter().map(|input| (sent(input.attribute("name")), sent(input.attribute("value"))));
        let body = fields.map(|(name, value)| format!("{name}={value}\r\n")).collect();
        Form { action: form.attribute("action"), body }
    }

    pub(crate) fn has_form(&self) -> bool {
        !self.all("form").is_empty()
    }
}

impl Element {
    fn attribute(&self, name: &str) -> String {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// The elements of a page whose tags are all closed in their order.
fn elements(html: &str) -> Vec<Element> {
    let mut rest = html.strip_prefix("<!doctype html>").unwrap_or_else(|| panic!("no page: {html}"));
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    while let Some((text, tagged)) = rest.split_once('<') {
        match open.last() {
            Some(inside) => elements[*inside].text.push_str(&undone(text)),
            None => assert_eq!(text.trim(), "", "text outside of all elements: {html}"),
        }
        if let Some(end) = tagged.strip_prefix('/') {
            let (name, behind) = end.split_once('>').unwrap();
            assert_eq!(open.pop().map(|closed| elements[closed].name.as_str()), Some(name), "closed in order: {html}");
            rest = behind;
            continue;
        }
        let (mut element, mut behind) = start_tag(tagged);
        if matches!(element.name.as_str(), "script" | "style") {
            let (text, after) = behind.split_once(&format!("</{}>", element.name)).unwrap();
            text.clone_into(&mut element.text);
            behind = after;
        } else if !matches!(element.name.as_str(), "meta" | "input" | "br" | "path" | "rect") {
            open.push(elements.len());
        }
        elements.push(element);
        rest = behind;
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "it ends too early: {html}");
    elements
}

/// What stands behind a `<`: the element, and what follows its `>`.
fn start_tag(tagged: &str) -> (Element, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let end = tagged.find(|c| !is_name(c)).unwrap();
    let (name, mut rest) = tagged.split_at(end);
    assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "no element of a template: <{tagged}");
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('>').or_else(|| rest.strip_prefix("/>")) {
            return (Element { name: name.to_owned(), attributes, text: String::new() }, behind);
        }
        let end = rest.find(|c: char| !is_name(c)).unwrap();
        let (attribute, behind) = rest.split_at(end);
        assert!(!attribute.is_empty(), "no attribute of a template: {rest}");
        rest = behind;
        let mut value = "";
        if let Some(quoted) = behind.strip_prefix("=\"") {
            (value, rest) = quoted.split_once('"').unwrap();
        }
        attributes.push((attribute.to_owned(), undone(value)));
    }
}

/// Text with its character references undone. A bare `&` is a mistake in a page, as is a bare quote.
fn undone(text: &str) -> String {
    let mut undone = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        undone.push_str(before);
        let (name, behind) = reference.split_once(';').unwrap_or_else(|| panic!("a bare & in {text}"));
        undone.push(match (name, name.strip_prefix("#x"), name.strip_prefix('#')) {
            ("amp", ..) => '&',
            ("lt", ..) => '<',
            ("gt", ..) => '>',
            ("quot", ..) => '"',
            (_, Some(hex), _) => char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap(),
            (_, _, Some(decimal)) => char::from_u32(decimal.parse().unwrap()).unwrap(),
            _ => panic!("a bare & before {name} in {text}"),
        });
        rest = behind;
    }
    // What a browser does to the bytes of a page before it reads them.
    (undone + rest).replace('\0', "\u{FFFD}")
}

#[test]
fn a_form_is_sent_as_browsers_send_it() {
    let html = "<!doctype html><form method=\"post\" enctype=\"text/plain\" accept-charset=\"utf-8\" action=\"/a\">\
                <input type=\"hidden\" name=\"{&#34;a&#34;:&#34;\n\" value=\"&lt;&amp;&#39;\"><button>b</button></form>";
    let page = Page { status: 200, elements: elements(html), html: html.to_owned() };
    assert_eq!(page.form().body, "{\"a\":\"\r\n=<&'\r\n");
}
