# What a message of WeChat costs, beside nginx passing the same POST on: a part of scripts/bench, which sources it.
# shellcheck shell=bash disable=SC2154
#
# The proxy gets an encrypted text message, verifies and decrypts it, stores it, forwards it as JSON to two backends, reads
# the first one's reply, stores that, and answers it encrypted. nginx gets the same bytes and passes them on, unread, to
# one backend, and the answer back. The backends are another nginx, which answers a constant, beside wrk on the other core.
# Every message is a new one, made before its round (tests/bench/messages.py); each database sees it once. The databases
# are on the disk that TMPDIR names (/var/tmp), with default settings: so every answer has waited for the disk.
#
# "waiting" is a second proxy that owes QUEUED messages to a backend that is down; who is not measured stands still.

callback_appid=wx00000000000000b2
callback_token=benchtoken
callback_aes=abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG
queued=${QUEUED:-10000}

prepare_callbacks() {
  local known
  for known in "${PYTHON:-python3}" .test-env/venv/bin/python /usr/bin/python3; do
    if "$known" -c 'import cryptography' 2>/dev/null; then
      python=$known
      return
    fi
  done
  need python3-cryptography false
  install_missing
  python=/usr/bin/python3
}

callbacks() {
  local name
  disk=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
  next_message=1 expected=10000
  start_backends
  start_forwarder
  start_callback_proxy wechat-proxy
  start_callback_proxy waiting
  owe
  show_reply
  compare callback_round "callbacks, databases on $(df --output=fstype "$disk" | tail -n 1)" nginx wechat-proxy waiting
  for name in wechat-proxy waiting; do report "$name"; done
  stop_servers
  say "the codec alone"
  cargo run --quiet --release -p wechat --example codec_bench
}

# --- servers -------------------------------------------------------------------------------------------------------

declare -A process port_of

start_backends() {
  local port
  port=$(free_port)
  backend=127.0.0.1:$port
  backends=("http://$backend/first" "http://$backend/second")
  launch_nginx backends "$client_core" "${backends[0]}" <<CONF
  server {
    listen 127.0.0.1:$port;
    location /first { default_type application/json; return 200 '{"MsgType":"text","Content":"hi"}'; }
    location /second { default_type text/plain; return 200 'success'; }
  }
CONF
}

# nginx as people put it before a backend, with connections that are kept.
start_forwarder() {
  local port
  port=$(free_port)
  port_of[nginx]=$port
  launch_nginx forwarder "$server_core" "http://127.0.0.1:$port/" <<CONF
  upstream backend { server $backend; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:$port;
    location / { proxy_pass http://backend/first; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
CONF
  process[nginx]=$launched
}

start_callback_proxy() {
  local name=$1 port url
  port=$(free_port)
  url=http://127.0.0.1:$port
  mkdir "$disk/$name"
  # Nothing here calls WeChat.
  TOKIO_WORKER_THREADS=1 taskset -c "$server_core" "$binary" serve --listen "127.0.0.1:$port" \
    --database "sqlite://$disk/$name/x.db" --api-url http://127.0.0.1:9 >"$folder/$name.log" 2>&1 &
  process[$name]=$! port_of[$name]=$port
  servers+=("${process[$name]}")
  wait_for "$url/readyz" 20 "${process[$name]}" || { cat "$folder/$name.log" >&2; die "the proxy does not start"; }
  curl -fsS -o /dev/null "$url/register" -d "key=bench&appid=$callback_appid&secret=$secret&check=false" \
    -d "token=$callback_token&aes=$callback_aes"
}

# --- messages ------------------------------------------------------------------------------------------------------

messages() { APPID=$callback_appid TOKEN=$callback_token AES=$callback_aes "$python" tests/bench/messages.py "$@"; }

# make_messages FILE COUNT CALL…
make_messages() {
  messages make "$1" "$next_message" "${@:2}"
  next_message=$((next_message + $2))
}

# Sends messages whose only backend does not listen, all of them.
owe() {
  local wrk end=$((SECONDS + 300))
  say "$queued messages to a backend that is down"
  make_messages "$folder/owed" "$queued" "http://127.0.0.1:$(free_port)/down"
  wrk -t1 -c64 -d300s -s tests/bench/replay.lua "http://127.0.0.1:${port_of[waiting]}" -- \
    "$folder/owed" all "$folder/answered" >"$folder/wrk" &
  wrk=$!
  until [ -e "$folder/answered" ]; do
    if [ $SECONDS -gt $end ] || ! kill -0 $wrk; then
      cat "$folder/wrk" "$folder/waiting.log" >&2
      die "they were not all taken"
    fi
    sleep 0.1
  done
  kill -INT $wrk
  wait $wrk || die "wrk failed"
  ! grep -E 'Non-2xx' "$folder/wrk" >&2 || die "not all were answered"
}

# What is measured does what it should.
show_reply() {
  make_messages "$folder/messages" 1 "${backends[@]}"
  messages try "$folder/messages" "${port_of[wechat-proxy]}"
}

# --- rounds --------------------------------------------------------------------------------------------------------

# nginx comes first: what it is sent, again and again, the proxies are sent once.
callback_round() {
  local name=$1 url=http://127.0.0.1:${port_of[$1]} mode=(once "$folder/ran_out") rate
  if [ "$name" = nginx ]; then
    make_messages "$folder/messages" $((expected * (round_seconds + 1) * 3)) "${backends[@]}"
    mode=(again)
  fi
  only "$name"
  round "$name" "${process[$name]}" -s tests/bench/replay.lua "$url" -- "$folder/messages" "${mode[@]}" |
    tee "$folder/measured"
  rate=$(awk '{ print $2 }' "$folder/measured")
  [ ! -e "$folder/ran_out" ] || die "there were too few messages for $rate in a second"
  [ "$name" = nginx ] || expected=$((rate + 100))
}

# Lets one of the proxies run.
only() {
  local name
  for name in wechat-proxy waiting; do
    if [ "$name" = "$1" ]; then kill -CONT "${process[$name]}"; else kill -STOP "${process[$name]}"; fi
  done
}

# What a proxy counted, its memory and its files.
report() {
  only "$1"
  say "$1: resident $(resident "${process[$1]}") MiB, on disk $(du -sm "$disk/$1" | cut -f 1) MiB"
  curl -fsS "http://127.0.0.1:${port_of[$1]}/metrics" | grep -E '^wechat_proxy_(callbacks|backend_tries|deliveries)'
}
