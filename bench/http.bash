# shellcheck shell=bash
# Sourced by bench/run: clients of nginx, which starts on a port and with a folder of its own.

nginx_folder=
nginx_port=

# nginx_program: the installed one, or the one that script/setup has unpacked.
nginx_program() {
    local program
    for program in nginx /usr/sbin/nginx build/servers/usr/sbin/nginx; do
        if has "$program"; then
            echo "$program"
            return
        fi
    done
}

# start_nginx: with the files 1k and large. Sets server and nginx_port, or fails.
start_nginx() {
    local program attempt
    program=$(nginx_program)
    [[ -n $program ]] || return 1
    nginx_folder=$(mktemp -d)
    head -c 1024 /dev/zero >"$nginx_folder/1k"
    truncate -s 1G "$nginx_folder/large" # takes no room on the disk
    for attempt in {1..20}; do
        nginx_port=$((20000 + RANDOM % 20000))
        cat >"$nginx_folder/nginx.conf" <<-END
			daemon off;
			master_process off;
			pid $nginx_folder/pid;
			events { worker_connections 256; }
			http {
			  access_log off;
			  client_body_temp_path $nginx_folder/t;
			  proxy_temp_path $nginx_folder/t;
			  fastcgi_temp_path $nginx_folder/t;
			  uwsgi_temp_path $nginx_folder/t;
			  scgi_temp_path $nginx_folder/t;
			  keepalive_requests 1000000;
			  server { listen 127.0.0.1:$nginx_port backlog=256; root $nginx_folder; }
			}
		END
        "${on_server_cpu[@]}" "$program" -p "$nginx_folder" -c "$nginx_folder/nginx.conf" -e "$log" 2>>"$log" &
        server=$!
        while kill -0 "$server" 2>/dev/null; do
            if (exec 3<>"/dev/tcp/127.0.0.1/$nginx_port") 2>/dev/null; then return; fi
            sleep 0.01
        done
        echo "nginx did not start on port $nginx_port (attempt $attempt)" >>"$log"
    done
    return 1
}

stop_nginx() {
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        server=
    fi
    if [[ -n $nginx_folder ]]; then rm -rf "$nginx_folder"; fi
    nginx_folder=
}

# client COMMAND...: prints what the client prints, while an interrupt can still end it.
client() {
    local answer
    exec {answers}< <(exec "${on_load_cpu[@]}" "$@" 2>>"$log")
    load=$!
    answer=
    read -r answer <&"$answers" || true
    wait "$load" || answer=
    load=
    exec {answers}<&-
    [[ -n $answer ]] && echo "$answer"
}

# http_clients LUA: 20 tasks of ours against each peer that is installed, in turn.
http_clients() {
    local lua=$1 peer peer_lua pair rate busy peer_rate peer_busy tasks=20
    local url=http://127.0.0.1:$nginx_port/1k
    printf '%-28s %11s %-26s %-18s %11s\n' "1 KiB from nginx, $lua" requests/s ratio "ratio by CPU time" "cosock's"
    for peer in luasocket copas; do
        case $peer in
        luasocket) peer_lua=$(interpreter_for socket.http) ;;
        copas) peer_lua=$(copas_interpreter "$lua") ;;
        esac
        if [[ -z $peer_lua ]]; then
            echo "$peer: not installed" >&2
            continue
        fi
        if [[ $peer == luasocket ]]; then peer_lua=$lua; fi
        local rates=() peer_rates=() by_rate=() by_cpu=()
        for ((pair = 1; pair <= pairs; pair++)); do
            read -r peer_rate peer_busy < <(client "$peer_lua" "bench/peers/${peer}_http.lua" "$url" 4000 "$tasks") &&
                read -r rate busy < <(client "$lua" bench/http.lua "$url" 20000 "$tasks") ||
                die "a client failed: $(head -n 1 "$log")"
            rates+=("$rate")
            peer_rates+=("$peer_rate")
            by_rate+=("$(ratio "$rate" "$peer_rate")")
            by_cpu+=("$(ratio "$peer_busy" "$busy")")
        done
        printf '%-28s %11s %-26s %-18s %11s\n' "$peer $peer_lua" "$(median %.0f "${peer_rates[@]}")" \
            "$(median_and_range "${by_rate[@]}")" "$(median_and_range "${by_cpu[@]}")" "$(median %.0f "${rates[@]}")"
    done
}

# copas_interpreter LUA: one that can wait inside LuaSocket's protect, and has copas: not 5.1 and LuaJIT.
copas_interpreter() {
    local lua
    for lua in "$1" $(interpreters); do
        if "$lua" -e 'assert(_VERSION ~= "Lua 5.1") require "copas"' >/dev/null 2>&1; then
            echo "$lua"
            return
        fi
    done
}

# large_body LUA: 1 GiB from nginx, with ours and with LuaSocket.
large_body() {
    local lua=$1 url=http://127.0.0.1:$nginx_port/large module bytes rate growth
    cat "$nginx_folder/large" >/dev/null # from now on, the system holds it
    for module in cosock.socket.http socket.http; do
        read -r bytes rate growth < <(client "$lua" bench/body.lua "$url" "$module") || {
            echo "$module: not installed" >&2
            continue
        }
        awk -v name="$module $lua" -v bytes="$bytes" -v rate="$rate" -v growth="$growth" 'BEGIN {
            printf "%-28s %.0f MiB at %.0f MiB/s; the process grew by %.1f MiB\n",
                name, bytes / 2^20, rate / 2^20, growth / 2^20 }'
    done
}
