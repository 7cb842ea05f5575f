"""wechatpy through wechat-proxy: mount this on a client's HTTP session, change nothing else.

    client = WeChatClient(appid, api_key)
    client._http.mount("https://api.weixin.qq.com/", Proxied("https://wx.example.com"))
"""
from requests.adapters import HTTPAdapter


class Proxied(HTTPAdapter):
    """Sends to the proxy what is meant for WeChat. wechatpy writes WeChat's address into many calls: this meets them all."""

    def __init__(self, proxy):
        super().__init__()
        self.proxy = proxy.rstrip("/")

    def send(self, request, **options):
        request.url = self.proxy + request.path_url
        return super().send(request, **options)
