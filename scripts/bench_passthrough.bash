# shellcheck shell=bash
# A small GET that goes on to WeChat over plain HTTP: below /app/KEY, and at the root with a virtual token; beside nginx passing
# the same on with proxy_pass and kept connections. WeChat is an nginx on the client's core that answers from its
# configuration. Sourced by `bench`.

info_path="/cgi-bin/user/info?openid=o6_bmjrPTlm6_2sgVt7hMZOPfL2M&lang=zh_CN"

passthrough() {
  start_upstream_nginx
  start_proxy
  curl -fsS -o /dev/null "$proxy_url/register?key=test&appid=$appid&secret=$secret&check=false"
  start_passing_nginx
  virtual=$(curl -fsS "$proxy_url/cgi-bin/token?grant_type=client_credential&appid=$appid&secret=$secret" |
    sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  cmp -s <(curl -fsS "$passing_url$info_path") <(curl -fsS "$proxy_url/app/test$info_path") || die "two answers"
  cmp -s <(curl -fsS "$passing_url$info_path") <(curl -fsS "$proxy_url$info_path&access_token=$virtual") || die "two answers"
  compare passing_round "pass-through" nginx wechat-proxy virtual
  stop_servers
}

# Its worker is the other side of both, so it stands on the client's core.
start_upstream_nginx() {
  local port
  port=$(free_port)
  platform_url=http://127.0.0.1:$port
  launch_nginx upstream "$client_core" "$platform_url/cgi-bin/user/info" <<CONF
  server {
    listen 127.0.0.1:$port;
    default_type "application/json; encoding=utf-8";
    location /cgi-bin/stable_token { return 200 '{"access_token":"61_$(filler 130)","expires_in":7200}'; }
    location /cgi-bin/user/info {
      return 200 '{"subscribe":1,"openid":"o6_bmjrPTlm6_2sgVt7hMZOPfL2M","language":"zh_CN","subscribe_time":1382694957,"remark":"","groupid":0,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":98765,"qr_scene_str":""}';
    }
  }
CONF
}

start_passing_nginx() {
  local port
  port=$(free_port)
  passing_url=http://127.0.0.1:$port
  launch_nginx passing "$server_core" "$passing_url$info_path" <<CONF
  upstream wechat { server ${platform_url#http://}; keepalive $connections; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:$port;
    location / {
      proxy_pass http://wechat;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
CONF
  nginx=$launched
}

passing_round() {
  case $1 in
    nginx) round nginx "$nginx" "$passing_url$info_path" ;;
    virtual) round virtual "$proxy" "$proxy_url$info_path&access_token=$virtual" ;;
    *) round "$1" "$proxy" "$proxy_url/app/test$info_path" ;;
  esac
}
