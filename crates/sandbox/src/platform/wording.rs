//! WeChat's words for its error codes.
//!
//! Used by `refusal`, which adds the tail that names the request. The texts are those of the error code pages of the
//! official account docs and of the WeCom docs; where those give Chinese only, the English here is unconfirmed.

/// Official accounts and mini programs.
const OFFICIAL: [(i64, &str); 91] = [
    (-1, "system error"),
    (
        40001,
        "invalid credential, access_token is invalid or not latest, could get \
         access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
    ),
    (40002, "invalid grant_type"),
    (40003, "invalid openid"),
    (40004, "invalid media type"),
    (40005, "invalid file type"),
    (40006, "invalid media size"),
    (40007, "invalid media_id"),
    (40008, "invalid message type"),
    (40009, "invalid image size"),
    (40010, "invalid voice size"),
    (40011, "invalid video size"),
    (40012, "invalid thumb size"),
    (40013, "invalid appid"),
    (40014, "invalid access_token"),
    (40016, "invalid button size"),
    (40017, "invalid button type"),
    (40018, "invalid button name size"),
    (40019, "invalid button key size"),
    (40020, "invalid button url size"),
    (40023, "invalid sub button size"),
    (40024, "invalid sub button type"),
    (40025, "invalid sub button name size"),
    (40026, "invalid sub button key size"),
    (40027, "invalid sub button url size"),
    (40029, "invalid code,"),
    (40030, "invalid refresh_token,"),
    (40032, "invalid openid list size"),
    (40037, "invalid template_id"),
    (40052, "invalid action name"),
    (40053, "invalid action info"),
    (40066, "invalid url"),
    (40097, "invalid args"),
    (40125, "invalid appsecret"),
    (40163, "code been used,"),
    (40169, "invalid length for scene, or the data is not json string"),
    (40226, "high risk user, login is blocked"),
    (40243, "appsecret is frozen, please unfreeze it and try again"),
    (41001, "access_token missing"),
    (41002, "appid missing"),
    (41003, "missing refresh_token"),
    (41004, "appsecret missing"),
    (41005, "media data missing"),
    (41008, "missing code"),
    (41009, "missing openid"),
    (41030, "invalid page"),
    (42001, "access_token expired"),
    (42002, "refresh_token expired"),
    (42003, "code expired"),
    (43001, "require GET method"),
    (43002, "require POST method"),
    (43004, "require subscribe"),
    (43101, "user refuse to accept the msg"),
    (44001, "empty media data"),
    (44002, "empty post data"),
    (44003, "empty news data"),
    (44004, "empty content"),
    (45002, "content size out of limit"),
    (45008, "article size out of limit"),
    (45009, "reach max api daily quota limit"),
    (45011, "api minute-quota reach limit, must slower, retry next minute"),
    (45015, "response out of time limit or subscription is canceled"),
    (45026, "template num exceeds limit"),
    (45047, "out of response count limit"),
    (45056, "create too many tags"),
    (45059, "has too many tags"),
    (45072, "command error"),
    (45080, "no interaction with the user in the last 30 seconds"),
    (45081, "already typing"),
    (45157, "invalid tag name"),
    (45158, "tag name too long"),
    (45159, "invalid tag id"),
    (46003, "menu no exist"),
    (47001, "data format error"),
    (47003, "argument invalid!"),
    (48001, "api unauthorized"),
    (48002, "user has turned off receiving messages"),
    (48006, "forbid to clear quota because of reaching the limit"),
    (50004, "forbid to use token api"),
    (50007, "account is frozen"),
    (61451, "invalid parameter"),
    (61452, "invalid kf_account"),
    (76001, "rid not found"),
    (76002, "invalid rid"),
    (76003, "rid does not belong to this account"),
    (76004, "rid expired"),
    (76021, "cgi_path not found, please check"),
    (87007, "session_key is not existd or expired"),
    (87008, "invalid sig_method"),
    (87009, "invalid signature"),
    (87014, "risky content"),
];

/// WeCom, where it says something else.
const WECOM: [(i64, &str); 17] = [
    (40001, "invalid credential"),
    (40013, "invalid corpid"),
    (40029, "invalid code"),
    (40056, "invalid agentid"),
    (40058, "invalid Request Parameter"),
    (41002, "corpid missing"),
    (41004, "corpsecret missing"),
    (41009, "missing userid"),
    (45009, "api freq out of limit"),
    (50003, "app disabled"),
    (60020, "not allow to access from your ip"),
    (60111, "userid not found"),
    (60123, "invalid party id"),
    (81013, "user & party & tag all invalid"),
    (84014, "user_ticket expired"),
    (84015, "invalid user_ticket"),
    (301_002, "not allow operate another agent with this accesstoken"),
];

/// The words of official accounts and mini programs.
pub(super) fn official(errcode: i64) -> &'static str {
    find(&OFFICIAL, errcode).unwrap_or("error")
}

/// The words of WeCom.
pub(super) fn wecom(errcode: i64) -> &'static str {
    find(&WECOM, errcode).unwrap_or_else(|| official(errcode))
}

fn find(texts: &[(i64, &'static str)], errcode: i64) -> Option<&'static str> {
    texts.iter().find(|(known, _)| *known == errcode).map(|(_, text)| *text)
}
