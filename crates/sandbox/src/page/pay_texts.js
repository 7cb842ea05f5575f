// The words of payment, in Chinese and English.

export const zh = {
  payTitle: "微信支付", payLooking: "正在查询订单…", payUnderWay: "支付中…", payNoAnswer: "没有应答",
  payFor: "商品", payNumber: "商户订单号", payWith: "付款方式", payTo: "收款方", payYes: "确认支付", payDone: "支付成功", payFinish: "完成", payClose: "知道了",
  payHint: "给开发者的提示", balance: "零钱", bankCmb: "招商银行储蓄卡 (8888)", bankIcbc: "工商银行信用卡 (6666)", payNow: "用手机付款",
  order: "订单", order_NOTPAY: "待支付", order_SUCCESS: "已支付", order_REFUND: "有退款", order_CLOSED: "已关闭", order_EXPIRED: "已过期",
  orderCall: "下单", closeCall: "关单", queryCall: "查单", refundCall: "退款", refundQueryCall: "查退款", certificateCall: "平台证书", pageCall: "网页支付",
  notice_payment: "支付通知", notice_refund: "退款通知", notice_sending: "等待应答", notice_waiting: "等待重发", notice_acknowledged: "已收下",
  notice_given_up: "已放弃", notice_off: "没有发送", notice_cancelled: "已取消", noticeNext: "{0} 再发一次", noticeSent: "通知内容", noticeHeaders: "请求头",
  noticeAnswer: "应答", noticeEmpty: "（空）", resend: "再发一次",
  try_acknowledged: "收下", try_rejected: "没有收下", try_withheld: "扣下未发",
  picture: "图片", readPicture: "识别图中的二维码",
  merchant: "商户", mchId: "商户号", boundTo: "绑定的 AppID", v2Key: "API v2 密钥", v3Key: "API v3 密钥", mchSerial: "商户证书序列号", payKeyId: "微信支付公钥 ID",
  sendNotifications: "发送支付通知", noNotifications: "不发通知",
};

export const en = {
  payTitle: "WeChat Pay", payLooking: "Looking up the order…", payUnderWay: "Paying…", payNoAnswer: "No answer",
  payFor: "For", payNumber: "Order", payWith: "Pay with", payTo: "To", payYes: "Pay", payDone: "Paid", payFinish: "Done", payClose: "OK",
  payHint: "For developers", balance: "Balance", bankCmb: "CMB debit card (8888)", bankIcbc: "ICBC credit card (6666)", payNow: "Pay with the phone",
  order: "Order", order_NOTPAY: "Unpaid", order_SUCCESS: "Paid", order_REFUND: "Refunds", order_CLOSED: "Closed", order_EXPIRED: "Expired",
  orderCall: "Place order", closeCall: "Close order", queryCall: "Query order", refundCall: "Refund", refundQueryCall: "Query refund", certificateCall: "Certificates", pageCall: "Page payment",
  notice_payment: "Payment notification", notice_refund: "Refund notification", notice_sending: "Waiting", notice_waiting: "Comes again", notice_acknowledged: "Taken",
  notice_given_up: "Given up", notice_off: "Not sent", notice_cancelled: "Cancelled", noticeNext: "Sent again at {0}", noticeSent: "Sent", noticeHeaders: "Headers",
  noticeAnswer: "Answer", noticeEmpty: "(empty)", resend: "Send again",
  try_acknowledged: "taken", try_rejected: "not taken", try_withheld: "withheld",
  picture: "Picture", readPicture: "Read the QR code in it",
  merchant: "Merchant", mchId: "Merchant number", boundTo: "Bound to", v2Key: "API v2 key", v3Key: "API v3 key", mchSerial: "Certificate serial", payKeyId: "Public key id",
  sendNotifications: "Send notifications", noNotifications: "No notifications",
};
