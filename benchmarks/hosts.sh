#!/usr/bin/env bash
# A Ray cluster of three hosts on this machine, as root: each in a network namespace with an address of its own, a mount
# namespace with shared memory and Ray's folder of its own, and a PID namespace, so that a host can be switched off.
#
#   benchmarks/hosts.sh up [cores] | run N COMMAND... | off N | on N [cores] | bytes N | slow N RATE | down
#
# Host 1 is the head and has no cores for work; `run 1 cofactor train ... --engine ray --address 10.77.0.1:6379` uses it.
set -euo pipefail
NAME=cfhost WORK=/tmp/cofactor-hosts
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$WORK/token RAY_USAGE_STATS_ENABLED=0
# A host that is gone is noticed after some four seconds; Ray's own settings take half a minute.
export RAY_health_check_initial_delay_ms=1000 RAY_health_check_period_ms=1000
export RAY_health_check_timeout_ms=1000 RAY_health_check_failure_threshold=3
PYTHON=${PYTHON:-python3}

inside() { # the PID of a host's first process
  cat "$WORK/host$1.pid"
}

enter() {
  local n=$1
  shift
  nsenter --net="/var/run/netns/$NAME$n" --mount --pid --target "$(inside "$n")" --wd="$PWD" "$@"
}

host() { # make a host, without Ray
  local n=$1
  ip netns add $NAME$n
  ip link add $NAME${n}v type veth peer name eth0 netns $NAME$n
  ip link set $NAME${n}v master ${NAME}br up
  ip -n $NAME$n addr add 10.77.0.$n/24 dev eth0
  ip -n $NAME$n link set eth0 up
  ip -n $NAME$n link set lo up
  setsid ip netns exec $NAME$n unshare --mount --pid --fork --mount-proc \
    sh -c "mount -t tmpfs -o size=2g tmpfs /dev/shm; mkdir -p /tmp/ray; mount -t tmpfs tmpfs /tmp/ray; exec sleep infinity" \
    > /dev/null 2>&1 < /dev/null &
  until pgrep -P $! -x sleep > $WORK/host$n.pid; do # its first process, when all is mounted
    kill -0 $!
    sleep 0.05
  done
}

join() { # let a host work: its number, and how many cores it has
  enter "$1" ray start --address 10.77.0.1:6379 --node-ip-address 10.77.0."$1" --num-cpus "$2" \
    --object-store-memory 500000000 --disable-usage-stats > $WORK/host"$1".log 2>&1
}

up() {
  mkdir -p $WORK
  [ -f $WORK/token ] || head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' > $WORK/token
  ip link add ${NAME}br type bridge
  ip addr add 10.77.0.254/24 dev ${NAME}br
  ip link set ${NAME}br up
  for n in 1 2 3; do host $n; done
  enter 1 ray start --head --node-ip-address 10.77.0.1 --port 6379 --num-cpus 0 --include-dashboard false \
    --object-store-memory 500000000 --disable-usage-stats > $WORK/host1.log 2>&1
  local started=()
  for n in 2 3; do
    join $n "${1:-1}" &
    started+=($!)
  done
  for pid in "${started[@]}"; do wait "$pid"; done
}

off() { # its PID namespace goes with it: a power cut
  kill -9 "$(inside "$1")"
  ip netns del $NAME"$1"
}

down() {
  for n in 1 2 3 4; do
    [ -f $WORK/host$n.pid ] && kill -9 "$(inside $n)" 2> /dev/null || true
    ip netns del $NAME$n 2> /dev/null || true
    ip link del ${NAME}${n}v 2> /dev/null || true # outlives its namespace while a process is in it
  done
  ip link del ${NAME}br 2> /dev/null || true
  rm -rf $WORK
}

case ${1:-} in
  up) up "${2:-1}" ;;
  run) n=$2 && shift 2 && enter "$n" "$@" ;;
  off) off "$2" ;;
  on) host "$2" && join "$2" "${3:-1}" ;; # one that is off, or a fourth
  bytes) ip netns exec $NAME"$2" cat /sys/class/net/eth0/statistics/rx_bytes ;;
  slow) tc qdisc replace dev $NAME"$2"v root tbf rate "$3" burst 256kb latency 200ms ;;
  down) down ;;
  *) sed -n 2,7p "$0" && exit 2 ;;
esac
