# shellcheck shell=bash
# Sourced by bench/run: TLS, ours against LuaSec in copas, and bulk against the openssl command as well. All servers and
# clients are bench/tls.lua; their peer is build/bench/tls, which is measured with neither.

tls_folder=
tls_lua=
tls_peer_lua=
tls_lua_path=
tls_bytes=$((256 * 1024 * 1024))

# prepare_tls LUA: a certificate, and the interpreter for the peer. The copas of Debian installs its files for Lua 5.1 and
# 5.2; those for 5.2 run on later versions as well.
prepare_tls() {
    tls_lua=$1
    tls_folder=$(mktemp -d)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -keyout "$tls_folder/key" -out "$tls_folder/certificate" 2>>"$log" || die "no certificate: $(head -n 1 "$log")"
    tls_lua_path=${LUA_PATH:-;;}
    [[ $(lua_name "$1") == lua5.[34] ]] && tls_lua_path="/usr/share/lua/5.2/?.lua;$tls_lua_path"
    tls_peer_lua=
    if LUA_PATH=$tls_lua_path "$1" -e 'require "ssl" require "copas"' >/dev/null 2>&1; then tls_peer_lua=$1; fi
}

# start_tls MODULE VERSION ROLE...: a server; sets server and port.
start_tls() {
    export LUA_PATH=$tls_lua_path
    start_server "$tls_lua" bench/tls.lua "$1" "$tls_folder/certificate" "$tls_folder/key" "${@:2}" ||
        die "no server: $(head -n 1 "$log")"
}

# figures COMMAND...: what the load prints under the name per_second, its share of server_busy (1 without), and load_busy.
figures() {
    "${on_load_cpu[@]}" "$@" 2>>"$log" | awk '$1 == "per_second" { rate = $2 } $1 == "server_busy" { busy = $2 }
        $1 == "load_busy" { load = $2 } END { if (!rate) exit 1; print rate, busy ? rate / busy : rate, load }'
}

# One measurement each; sets rate and by_cpu, and load_busy if that is known.
tls_echo() { # MODULE CONNECTIONS
    start_tls "$1" 1.3 echo
    read -r rate by_cpu load_busy < <(figures build/bench/tls echo "$port" "$2" "$seconds" "$server") || true
    stop_server
}

tls_accept() { # MODULE VERSION full|resumed
    start_tls "$1" "$2" greet
    read -r rate by_cpu load_busy < <(figures build/bench/tls handshakes "$port" 20 "$seconds" "$2" "$3" "$server") || true
    stop_server
}

tls_connect() { # MODULE VERSION full|resumed
    start_server build/bench/tls serve "$2" "$3" "$tls_folder/certificate" "$tls_folder/key" ||
        die "no server: $(head -n 1 "$log")"
    export LUA_PATH=$tls_lua_path
    read -r rate by_cpu < <("${on_load_cpu[@]}" "$tls_lua" bench/tls.lua "$1" - - "$2" client "$port" 2000 20 2>>"$log") || true
    stop_server
}

tls_send() { # MODULE PIECE
    start_tls "$1" 1.3 send "$tls_bytes" "$2"
    "${on_load_cpu[@]}" build/bench/tls take "$port" >/dev/null 2>>"$log"
    read -r rate by_cpu <&"$answers"
    stop_server
}

tls_receive() { # MODULE PATTERN
    start_tls "$1" 1.3 receive "$2"
    "${on_load_cpu[@]}" build/bench/tls give "$port" "$tls_bytes" >/dev/null 2>>"$log" || true
    read -r rate by_cpu <&"$answers"
    stop_server
}

# openssl_server FILE: the openssl command as a server that sends what is in this file of the folder, and drops what it
# receives; sets server and port.
openssl_server() {
    local attempt
    # A little more than is measured: the connection that finds out whether the server listens takes some.
    [[ -e $tls_folder/data ]] || head -c "$((tls_bytes + 1024 * 1024))" /dev/zero | tr '\0' 'x' >"$tls_folder/data"
    # Opened for both, a pipe says nothing and does not end.
    [[ -e $tls_folder/silence ]] || mkfifo "$tls_folder/silence"
    for attempt in {1..20}; do
        port=$((20000 + RANDOM % 20000))
        # Without -nbio it may wait for the client to send something, and send nothing meanwhile.
        "${on_server_cpu[@]}" openssl s_server -quiet -nbio -tls1_3 -accept "127.0.0.1:$port" -key "$tls_folder/key" \
            -cert "$tls_folder/certificate" 0<>"$tls_folder/$1" >"$tls_folder/received" 2>>"$log" &
        server=$!
        while kill -0 "$server" 2>/dev/null; do
            if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
            sleep 0.01
        done
        echo "openssl did not start on port $port (attempt $attempt)" >>"$log"
    done
    return 1
}

# since BEGAN: bytes a second.
since() {
    awk -v began="$1" -v now="$EPOCHREALTIME" -v bytes="$tls_bytes" 'BEGIN { printf "%.0f", bytes / (now - began) }'
}

# take_by_openssl, give_by_openssl: a client that is the openssl command, on the server that has been started; sets rate.
take_by_openssl() {
    local began=$EPOCHREALTIME
    "${on_load_cpu[@]}" openssl s_client -quiet -connect "127.0.0.1:$port" </dev/null 2>>"$log" |
        head -c "$tls_bytes" >/dev/null || true
    rate=$(since "$began")
}

give_by_openssl() {
    local began=$EPOCHREALTIME
    "${on_load_cpu[@]}" openssl s_client -no_ign_eof -connect "127.0.0.1:$port" <"$tls_folder/data" >/dev/null 2>>"$log" ||
        true
    rate=$(since "$began")
}

# against_openssl NAME CLIENT FILE OURS...: our server as fast as openssl's with this input, with the same client?
against_openssl() {
    local name=$1 client=$2 input=$3 pair theirs computed by_rate=() by_processor=() rates=()
    shift 3
    for ((pair = 1; pair <= pairs; pair++)); do
        openssl_server "$input" || die "openssl did not start: $(head -n 1 "$log")"
        "$client"
        theirs=$rate
        read -r computed _ <"/proc/$server/schedstat" # nanoseconds
        kill "$server" && wait "$server" 2>/dev/null || true
        server=
        start_tls bench.tls_cosock 1.3 "$@"
        "$client"
        read -r _ by_cpu <&"$answers"
        stop_server
        by_rate+=("$(ratio "$rate" "$theirs")")
        by_processor+=("$(awk -v ours="$by_cpu" -v bytes="$tls_bytes" -v theirs="$computed" \
            'BEGIN { printf "%.4f", ours / (bytes / theirs * 1e9) }')")
        rates+=("$rate")
    done
    printf '%-38s %14s %-18s %-18s (to openssl)\n' "$name" "$(median %.0f "${rates[@]}")" \
        "$(median_and_range "${by_rate[@]}")" "$(median_and_range "${by_processor[@]}")"
}

# against_copas NAME MEASURE ARGUMENT...
against_copas() {
    local name=$1 measure=$2 pair their_rate their_cpu load_busy="" by_rate=() by_processor=() rates=() loads=()
    shift 2
    for ((pair = 1; pair <= pairs; pair++)); do
        "$measure" bench.peers.copas_tls "$@"
        [[ -n $rate ]] || die "$name failed: $(head -n 1 "$log")"
        their_rate=$rate their_cpu=$by_cpu
        "$measure" bench.tls_cosock "$@"
        [[ -n $rate ]] || die "$name failed: $(head -n 1 "$log")"
        rates+=("$rate")
        by_rate+=("$(ratio "$rate" "$their_rate")")
        by_processor+=("$(ratio "$by_cpu" "$their_cpu")")
        if [[ -n $load_busy ]]; then loads+=("$load_busy"); fi
    done
    printf '%-38s %14s %-18s %-18s %s\n' "$name" "$(median %.0f "${rates[@]}")" "$(median_and_range "${by_rate[@]}")" \
        "$(median_and_range "${by_processor[@]}")" "${loads[*]:+$(median %.2f "${loads[@]}")}"
}

# What an idle connection costs, in bytes.
tls_idle() {
    local module
    for module in bench.tls_cosock bench.peers.copas_tls; do
        start_tls "$module" 1.3 echo
        awk -v name="idle connection, $module" '{ printf "%-38s %14d bytes\n", name, $2 }' \
            < <("${on_load_cpu[@]}" build/bench/tls idle "$port" 500 "$server" 2>>"$log")
        stop_server
    done
}

# tls_benchmarks LUA PART...: of echo, handshakes, bulk, openssl.
tls_benchmarks() {
    local lua=$1 part version kind size pattern
    shift
    prepare_tls "$lua"
    if [[ -z $tls_peer_lua ]]; then
        echo "tls: $lua does not load LuaSec and copas" >&2
        return
    fi
    printf '%-38s %14s %-18s %-18s %s\n' "TLS, $lua, to LuaSec in copas" "a second" ratio "ratio by CPU time" load
    for part; do
        case $part in
        tls_echo)
            against_copas "echo of 64-byte lines, 100 connections" tls_echo 100
            tls_idle
            ;;
        tls_handshakes)
            for version in 1.3 1.2; do
                for kind in full resumed; do
                    against_copas "handshakes as a server, $version, $kind" tls_accept "$version" "$kind"
                    against_copas "handshakes as a client, $version, $kind" tls_connect "$version" "$kind"
                done
            done
            ;;
        tls_bulk)
            for size in "$tls_bytes" 65536 16384 8192 1024; do
                against_copas "send 256 MiB, pieces of $size" tls_send "$size"
            done
            for pattern in 65536 8192 "*a" "*l"; do
                against_copas "receive 256 MiB, $pattern" tls_receive "$pattern"
            done
            ;;
        tls_openssl)
            against_openssl "send 256 MiB to s_client, whole" take_by_openssl data send "$tls_bytes" "$tls_bytes"
            against_openssl "send 256 MiB to s_client, 16 KiB" take_by_openssl data send "$tls_bytes" 16384
            for pattern in 16384 65536 "*a"; do
                against_openssl "receive 256 MiB from s_client, $pattern" give_by_openssl silence receive "$pattern"
            done
            ;;
        esac
    done
    rm -r "$tls_folder"
    tls_folder=
}
