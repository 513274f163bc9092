# shellcheck shell=bash
# Sourced by script/test: runs checks beside each other, and reports them in the order in which they were added.
#
# A check is of a kind. Those that compile run one after another, since cargo uses all cores by itself; specs wait a lot,
# so that two or three interpreters' together keep two cores busy.

places=3                     # how many more checks may run now
compiling=""                 # the one that compiles, if one does
order=()                     # the names of all checks
declare -A kind need command # of each; `need` is a check that must have passed before it, or nothing
declare -A state             # "added", then "running", then "passed", "failed" or "left out"
declare -A name_of           # the running ones, by the id of their process
next=0                       # the first that is not reported
passed=0
failed=0

logs=build/log
scratch=$(mktemp -d)

# Every check is a job with its own process group, so that an end comes to it with all that it started.
set -m
trap 'end_running; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

end_running() {
    local process
    # Where bash would tell of each that it was ended.
    exec 2>/dev/null
    for process in "${!name_of[@]}"; do
        kill -- "-$process" 2>/dev/null || true
    done
}

# check KIND NEED NAME COMMAND...: adds one, of the kind "compile" or "specs". It counts as one test, passed when the
# command succeeds; but a function may set `good` and `bad` to the numbers of its tests, and `note`. `set -e` is off in
# it: chain what may fail.
check() {
    order+=("$3")
    kind[$3]=$1
    need[$3]=$2
    command[$3]=$(printf '%q ' "${@:4}")
    state[$3]=added
}

log_of() { # NAME
    echo "$logs/${1//[ \/]/-}.log"
}

result_of() { # NAME
    echo "$scratch/${1//[ \/]/-}.result"
}

# perform NAME: runs the command, with its output in the log, and leaves what came of it.
perform() {
    local status=0 good="" bad="" note="" log
    set +m
    log=$(log_of "$1")
    SECONDS=0
    eval "${command[$1]}" >"$log" 2>&1 </dev/null || status=$?
    if [[ -z $good ]]; then good=$((status == 0)) bad=$((status != 0)); fi
    echo "$good $bad $SECONDS $note" >"$(result_of "$1")"
}

start_some() {
    local name
    for name in "${order[@]}"; do
        [[ ${state[$name]} == added ]] || continue
        case ${need[$name]:+${state[${need[$name]}]}} in
        failed | "left out") state[$name]="left out" ;;
        "" | passed)
            if ((places > 0)) && [[ -z $compiling || ${kind[$name]} != compile ]]; then
                if [[ ${kind[$name]} == compile ]]; then compiling=$name; fi
                places=$((places - 1))
                state[$name]=running
                perform "$name" &
                name_of[$!]=$name
            fi
            ;;
        esac
    done
}

wait_for_one() {
    local process name bad
    wait -n -p process "${!name_of[@]}" || true
    name=${name_of[$process]}
    unset "name_of[$process]"
    places=$((places + 1))
    if [[ $compiling == "$name" ]]; then compiling=""; fi
    # What it has left running.
    kill -KILL -- "-$process" 2>/dev/null || true
    [[ -e $(result_of "$name") ]] || echo "0 1 0 ended by a signal" >"$(result_of "$name")"
    read -r _ bad _ <"$(result_of "$name")"
    state[$name]=passed
    if ((bad > 0)); then state[$name]=failed; fi
}

report() { # NAME
    local good bad seconds note
    if [[ ${state[$1]} == "left out" ]]; then
        echo "left out: $1 (it needs: ${need[$1]})"
        return
    fi
    read -r good bad seconds note <"$(result_of "$1")"
    passed=$((passed + good))
    failed=$((failed + bad))
    if ((bad == 0)); then
        printf 'ok    %-29s %5d passed%s, %d s\n' "$1" "$good" "${note:+, $note}" "$seconds"
    else
        printf 'FAIL  %-29s %5d passed, %d failed%s, %d s; its output:\n' "$1" "$good" "$bad" "${note:+, $note}" "$seconds"
        sed 's/^/      /' "$(log_of "$1")"
    fi
}

# run_checks: runs all that were added, and says whether all of them passed.
run_checks() {
    mkdir -p "$logs"
    start_some
    while ((next < ${#order[@]})); do
        case ${state[${order[next]}]} in
        added | running)
            wait_for_one
            start_some
            ;;
        *)
            report "${order[next]}"
            next=$((next + 1))
            ;;
        esac
    done
    echo "$passed passed, $failed failed"
    ((failed == 0))
}
