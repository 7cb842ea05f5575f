# What the scripts share. Source it; it changes to the root of the checkout.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
# shellcheck disable=SC2034 # for those who source this
root=$PWD

say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# need PACKAGE COMMAND… : remembers the Debian package when the command fails.
missing=()
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

# Installs what `need` found missing. Packages of servers start them; here they must not, so that this leaves no server
# running that it started (policy-rc.d is Debian's way to say so; whatever stood there comes back).
install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  has apt-get || die "please install: ${missing[*]} (those are Debian's names)"
  [ "$(id -u)" -eq 0 ] || die "please install as root: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  (
    policy=/usr/sbin/policy-rc.d saved=
    if [ -e $policy ] || [ -L $policy ]; then saved=$policy.kept && mv "$policy" "$saved"; fi
    trap 'rm -f "$policy"; [ -z "$saved" ] || mv "$saved" "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
  )
  missing=()
}

# A port on loopback where nobody listens now.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port found"
}

# wait_for URL SECONDS PID: until the URL answers 2xx. Fails when the time is over or the process ends.
wait_for() {
  local end=$((SECONDS + $2))
  until curl -fsS -o /dev/null --max-time 2 "$1" 2>/dev/null; do
    kill -0 "$3" 2>/dev/null || return 1
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

# stop PID…: asks, waits at most 10 s, insists.
stop() {
  local pid
  for pid in "$@"; do kill "$pid" 2>/dev/null || true; done
  for pid in "$@"; do
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

target_directory() {
  cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}
