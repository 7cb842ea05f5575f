//! What a person can do about a code, in one sentence each.
//!
//! Shown beside WeChat's own words in answers, logs and records. A sentence says what to do, not what the code is
//! called: that is in `errmsg`.

use super::Errcode;

impl Errcode {
    /// One sentence for the operator on what to do, for the codes that the proxy's own calls and those of backends meet.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        self.account_advice()
            .or_else(|| self.sending_advice())
            .or_else(|| self.login_advice())
            .or_else(|| self.request_advice())
    }

    /// About the account: secrets, addresses, quotas, rights.
    fn account_advice(self) -> Option<&'static str> {
        Some(match self.0 {
            -1 => "WeChat is busy; wechat-proxy asks again by itself",
            40001 | 40125 | 40091 => {
                "the secret is wrong or was reset: copy it again from the account's console and register it"
            }
            40013 | 41002 => "no such account: compare the appid with the account's console, its case matters",
            40164 | 60020 | 61004 => {
                "add this machine's outgoing address to the IP allow list in the account's console"
            }
            40243 => "the AppSecret is frozen: unfreeze it in the account's console",
            45009 => "the daily quota is used up: it is reset at midnight (UTC+8), or once by clear_quota",
            45011 | 45033 => "too many calls in this minute; wechat-proxy asks again by itself",
            48001 => "the account has no right to this API: see its permissions in the account's console",
            48004 => "WeChat has taken this API from the account for a violation: see the notice on mp.weixin.qq.com",
            48006 => "the quota was reset as often as WeChat allows, 10 times this month: wait for midnight (UTC+8)",
            50004 => "the token API is switched off for this account: see the account's console",
            50007 => "the account is frozen: see the account's console",
            89501 | 89503 => "an administrator of the account has to confirm this machine's address in WeChat",
            89506 => "an administrator refused this machine's address twice: it is blocked for 24 hours",
            89507 => "an administrator refused this machine's address: it is blocked for 1 hour",
            _ => return None,
        })
    }

    /// About a message that was sent to a user.
    fn sending_advice(self) -> Option<&'static str> {
        Some(match self.0 {
            45015 => {
                "WeChat allows no message to this user now: the user has not written, tapped or scanned lately, or no \
                 longer follows; answer sooner, within WeChat's 5 seconds if possible"
            }
            45047 => {
                "all messages that WeChat allows after one action of the user are used up: send fewer, or wait for the \
                 user's next message"
            }
            43004 => "the user does not follow the account: only followers can be sent messages",
            48002 => {
                "the user has switched the account's messages off; in WeCom: a token of this kind may not call this API, \
                 register the app's own secret"
            }
            40003 => "no such openid in this account: openids of one account mean nothing in another",
            40007 => {
                "no such media_id: temporary media end after 3 days and belong to one account; upload it again with the \
                 token of this account"
            }
            40008 => {
                "WeChat has no messages of this type for this account; mini programs take fewer than official accounts"
            }
            44004 => "the text is empty: send one that is not",
            45002 => "the text is too long: WeChat takes 2,048 bytes in one message",
            45008 => "too many articles: a customer-service message takes exactly one",
            43019 => "the user is on the account's blacklist: take him off it in the account's console",
            43101 => {
                "the user has not agreed to this subscription message: ask him in the mini program, for each message"
            }
            40037 => {
                "no such template_id in this account: compare it with the templates in the account's console; each account \
                 has ids of its own"
            }
            47003 => {
                "a value of the template is missing, or not what its keyword allows (type, length): compare with the template \
                 in the account's console"
            }
            87014 => "WeChat counts the content as forbidden: change the text or the picture",
            61451 => "a parameter of the customer-service message is invalid: see kf_account",
            61452 => "no such customer-service agent: compare kf_account with the account's console",
            40056 => "no such agentid for this secret: each WeCom app has its own pair, register those of one app",
            81013 => {
                "none of the recipients can get this: see whether the member is in the visible range of the WeCom app, in \
                 its console"
            }
            _ => return None,
        })
    }

    /// About a visitor who logs in ("web authorization" of official accounts, "OAuth" of WeCom).
    fn login_advice(self) -> Option<&'static str> {
        Some(match self.0 {
            40029 => {
                "the code of this login is unknown, too old, or of another account: open the link again; if it happens every \
                 time, compare the appid of the link with the registered one"
            }
            40163 => {
                "the code of this login was used before (the page was reloaded, or Back was pressed): open the link again"
            }
            42003 => "the code of this login is older than WeChat's 5 minutes: open the link again",
            41008 => "there was no code in this login: open the link again, and see that nothing removes it on the way",
            40226 => {
                "WeChat counts this visitor as a high risk and lets nobody log in for him: only WeChat can change that"
            }
            50001 => {
                "the visitor has not agreed, or the host of the page is not registered: ask for consent again; in WeCom, add \
                 host and port to the app's trusted domain"
            }
            50002 => "WeChat has limited this visitor's account: only WeChat can change that",
            84014 | 84015 => "the user_ticket of this login is invalid or older than 30 minutes: open the link again",
            _ => return None,
        })
    }
    /// About a call as its caller wrote it.
    fn request_advice(self) -> Option<&'static str> {
        Some(match self.0 {
            41001 => {
                "the call reached WeChat without an access_token: send it through wechat-proxy, which adds the token, or \
                 add access_token to the query"
            }
            40014 | 42001 => {
                "the access_token is not, or no longer, good: take the current one from wechat-proxy, and let nothing else \
                 fetch tokens of this account"
            }
            40035 | 40097 => "a parameter is invalid: compare the call with WeChat's document of this API",
            40066 => {
                "no such address: compare the path of the call, or the url in it, with WeChat's document of this API"
            }
            41009 => "there is no openid in the call: add it, as WeChat's document of this API shows",
            43001 => "this API is called by GET: send the call without a body",
            43002 => "this API is called by POST: send its parameters as a JSON body",
            43003 => "WeChat is called by https only: correct the address of WeChat's API that is configured",
            44002 => "the body of the call is empty: send the JSON that WeChat's document of this API shows",
            47001 => {
                "the body of the call is not the JSON (for some APIs XML) that WeChat's document shows: send real JSON in \
                 UTF-8, not a form"
            }
            61007 => {
                "the account has not granted this right to the third-party platform: authorize it again with this right"
            }
            _ => return None,
        })
    }
}
