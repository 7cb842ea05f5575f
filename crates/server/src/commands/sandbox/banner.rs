//! What `wechat-proxy sandbox` prints: addresses to open, and lines that work as they stand.

use std::net::SocketAddr;

use sandbox::{Account, Merchant};

use super::demo::{Demo, KEY, V2_KEY, backend};

/// Where everything listens.
pub(super) struct Addresses {
    pub(super) proxy: SocketAddr,
    pub(super) platform: SocketAddr,
    pub(super) tls: SocketAddr,
}

/// For the platform alone.
pub(super) fn of_platform(platform: SocketAddr, tls: SocketAddr) -> String {
    format!(
        "the simulated WeChat platform listens on http://{platform} (API, page and /sandbox/… control)
and with TLS on https://{tls} (WeChat Pay takes client certificates there); its authority: http://{platform}/sandbox/ca.pem"
    )
}

/// For platform and proxy with what they come with.
pub(super) fn of_demo(addresses: &Addresses, demo: &Demo) -> String {
    let Addresses { proxy, platform, tls } = addresses;
    let Account { appid, secret, .. } = &demo.account;
    let Merchant { mch_id, .. } = &demo.merchant;
    let order = format!("fee=1&name=奶茶&out_trade_no=demo0001&call={}", backend(*platform));
    format!(
        "
  wechat-proxy sandbox

  平台 / platform   http://{platform}   打开看看: 一部手机, 和它旁边的每一次推送, 应答, 调用 / a phone, and what happens
  微信支付 / pay    https://{tls}  (CA: http://{platform}/sandbox/ca.pem)
  代理 / proxy      http://{proxy}
  演示账号 / demo   {appid} (已登记为 / registered as: {KEY})
  演示商户 / shop   {mch_id} (API v3: {KEY}, API v2: {V2_KEY})

  试一试 / try:

    curl 'http://{proxy}/app/{KEY}/api'
    curl 'http://{proxy}/app/{KEY}/api'          # 同一个令牌 / the same token
    curl 'http://{proxy}/app/{KEY}/api/new'      # 换一个新的 / a new one
    curl 'http://{proxy}/app/{KEY}/jsapi'
    curl 'http://{proxy}/register?key=测试&appid={appid}&secret={secret}'
    curl 'http://{proxy}/app/测试/api'
    curl 'http://{platform}/sandbox/accounts/{appid}/push' -d '{{\"text\":\"你好\",\"wait\":true}}'   # 用户发一条消息
    curl 'http://{proxy}/admin/messages'        # 它去了哪里, 谁回的 / where it went, who answered
    curl 'http://{proxy}/app/{KEY}/cgi-bin/user/get'      # 微信的任何接口, 不写令牌 / any API of WeChat, without a token
    curl 'http://{proxy}/cgi-bin/token?grant_type=client_credential&appid={appid}&secret={secret}'   # SDK 得到的虚拟令牌 / an SDK’s virtual token
    curl 'http://{proxy}/admin/usage'           # 谁调了什么 / who called what
    curl 'http://{platform}/sandbox/calls'      # 微信收到了什么 / what WeChat saw

  收一分钱 / be paid one fen:

    http://{proxy}/app/{KEY}/pay/qrcode?{order}
    # 在浏览器打开这个二维码, 用手机的 “扫一扫” 付款; 或者不用手机 / open this code and scan it with the phone; or without a phone:

    curl 'http://{proxy}/app/{KEY}/pay?{order}'
    curl -X POST 'http://{platform}/sandbox/merchants/{mch_id}/orders/demo0001/pay'   # 付款 / somebody pays
    curl 'http://{platform}/sandbox/backend/received'     # 后端收到了什么 / what the backend was told
    curl 'http://{proxy}/admin/orders'        # 订单 / orders
    curl 'http://{proxy}/app/{KEY}/pay/refund?out_trade_no=demo0001&out_refund_no=demo0001r'   # 退款 / a refund

    把 /app/{KEY}/ 换成 /app/{V2_KEY}/ (和另一个订单号), 就是 API v2 / over API v2: /app/{V2_KEY}/ instead, and another number

  在手机上点菜单 “网页”: 登录, JSSDK, 支付 / tap 网页 in the phone’s menu: login, JSSDK, payment

  Ctrl-C 结束 / ends it
"
    )
}
