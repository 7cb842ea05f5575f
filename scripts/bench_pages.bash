# shellcheck shell=bash
# What visitors' browsers ask for: the script of a page (`/js/config`, with a whole Referer and its ticket in memory), and the
# redirect of a login link. nginx answers as many bytes, with as many headers, from its configuration. Sourced by `bench`.

page_address=https://shop.example.com/goods?id=1
login_path="/app/test/auth?call=http%3A%2F%2F127.0.0.1%3A9000%2Flogin&state=s1"

pages() {
  start_platform
  start_proxy
  register test "$appid" "$secret"
  # The first one fetches the ticket.
  curl -fsS -o /dev/null -H "Referer: $page_address" "$proxy_url/app/test/js/config"
  start_pages_nginx
  compare script_round "js/config" nginx wechat-proxy
  compare login_round "auth redirect" nginx wechat-proxy
  stop_servers
}

# A parameter of nginx's configuration ends at 4096 bytes: longer answers are put together.
start_pages_nginx() {
  local port size first rest location cookie
  port=$(free_port)
  pages_url=http://127.0.0.1:$port
  size=$(curl -fsS -H "Referer: $page_address" "$proxy_url/app/test/js/config" | wc -c)
  first=$((size > 4000 ? 4000 : size)) rest=$((size > 4000 ? size - 4000 : 0))
  location=$(header Location) cookie=$(header Set-Cookie)
  launch_nginx pages "$server_core" "$pages_url/app/test/js/config" <<CONF
  server {
    listen 127.0.0.1:$port;
    location /app/test/js/config {
      default_type "text/javascript; charset=utf-8";
      set \$first '$(filler $first)';
      set \$rest '$(filler $rest)';
      add_header Vary "Origin, Referer";
      add_header X-Content-Type-Options nosniff;
      return 200 '\$first\$rest';
    }
    location /app/test/auth {
      add_header Set-Cookie '$cookie';
      return 302 '$location';
    }
  }
CONF
  nginx=$launched
  [ "$(curl -fsS "$pages_url/app/test/js/config" | wc -c)" = "$size" ] || die "nginx answers something else"
}

filler() { [ "$1" -eq 0 ] || head -c "$1" /dev/zero | tr '\0' x; }

# A header of the login link's answer.
header() { curl -fsS -o /dev/null -D - "$proxy_url$login_path" | tr -d '\r' | sed -n "s/^$1: //Ip"; }

script_round() {
  case $1 in
    nginx) round nginx "$nginx" -H "Referer: $page_address" "$pages_url/app/test/js/config" ;;
    *) round "$1" "$proxy" -H "Referer: $page_address" "$proxy_url/app/test/js/config" ;;
  esac
}

login_round() {
  case $1 in
    nginx) round nginx "$nginx" "$pages_url$login_path" ;;
    *) round "$1" "$proxy" "$proxy_url$login_path" ;;
  esac
}
