#!/bin/sh
# Starts the MusicGuru server and its health check in the background; run on every boot of an instance.
# Running it again restarts both: there is never more than one of each. Output goes to <name>.log beside this file.

here=$(cd "$(dirname "$0")" && pwd) || exit 1

# A number in a pid file may belong to something else by now (a reboot, a copied image): believe it only
# when that process runs this very file.
runs() {
    [ -n "$1" ] && tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -Fqx "$2"
}

stop() {
    old=$(cat "$here/$1.pid" 2>/dev/null)
    runs "$old" "$here/$1.py" || return 0
    kill "$old" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        runs "$old" "$here/$1.py" || return 0
        sleep 0.2
    done
    kill -KILL "$old" 2>/dev/null
}

start() {
    stop "$1"
    nohup python3 "$here/$1.py" >>"$here/$1.log" 2>&1 </dev/null &
    echo $! >"$here/$1.pid"
}

start MusicGuruServer
start HealthCheck
