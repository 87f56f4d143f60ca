#!/bin/sh
# Announces this container to exectrail and waits until every exec in it is recorded. The commands
# that start the workspace follow this part, and run only once tracing is on. Otherwise the script
# ends here, with the reason on standard error.
#
# This part is a subshell, so that its variables, functions and options do not reach the commands
# that follow. It has no standard input: a shell may be reading those commands from there (`sh -s`).
# It works whether or not `set -e`, `set -u` or `set -x` is on.
(
    set +eux -f

    # Settings. The Terraform module replaces these values with its own.
    address='127.0.0.1:56123' # where exectrail listens (--init-address)
    patience='900' # seconds to wait for it: its image may have to be pulled first
    clients='curl wget announce' # what to ask it with: the first of them that is there
    exectrail='/opt/exectrail/exectrail' # for `announce`: where the program is mounted

    newline='
'
    say() {
        printf 'exectrail: %s\n' "$1" >&2
    }

    # Ends the script with status $1 and the reason $2: the workspace must not start.
    refuse() {
        say "this workspace does not start: $2"
        exit "$1"
    }

    # The number of the PID namespace, from the link `pid:[NUMBER]`.
    read_pid_ns() {
        pid_ns="$(readlink /proc/self/ns/pid)" ||
            refuse 1 'cannot read /proc/self/ns/pid; is /proc mounted, and readlink in the image?'
        pid_ns="${pid_ns#"pid:["}"
        pid_ns="${pid_ns%"]"}"
        case "$pid_ns" in
        '' | *[!0-9]*) refuse 1 "/proc/self/ns/pid reads '$pid_ns', not pid:[NUMBER]" ;;
        esac
    }

    # Asks once. Sets `answer` to the text of the answer or of the error, and `status` to the HTTP
    # status if there is an answer. Ignores the user's configuration files and proxies.
    ask_with_curl() {
        answer="$(curl --disable --silent --show-error --noproxy '*' --max-time 10 \
            --header 'Content-Type: text/plain' --data "$pid_ns" \
            --write-out '<status %{http_code}>' "http://$address/" 2>&1)"
        status="${answer#*"<status "}"
        status="${status%%">"*}"
        answer="${answer%%"<status "*}${answer#*"<status $status>"}"
        answer="${answer%"$newline"}"
    }

    # GNU's Wget2 gets no -q, because it would then print nothing about an error. Busybox's wget
    # lists its options; if it has none for a time limit, the program timeout sets one.
    choose_wget_options() {
        limit=
        case "$(wget --no-config --version 2>&1)" in
        'GNU Wget2'*) wget_options='--no-config --no-proxy --tries=1 --timeout=10' ;;
        'GNU Wget'*) wget_options='-q --no-config --no-proxy --tries=1 --timeout=10' ;;
        *'-T SEC'*) wget_options='-q -T 10' ;;
        *)
            wget_options='-q'
            if timeout 10 true 2>/dev/null; then limit='timeout 10'; fi
            ;;
        esac
    }

    ask_with_wget() {
        # shellcheck disable=SC2086 # options, to be split
        answer="$(http_proxy='' $limit wget $wget_options -S -O - \
            --header 'Content-Type: text/plain' --post-data "$pid_ns" "http://$address/" 2>&1)"
        # The text is in the status line, too: for an error, busybox's wget shows only that line.
        said=
        case "$answer" in
        *HTTP/1.[01]' '[1-5][0-9][0-9]*)
            said="${answer##*HTTP/1.[01] }"
            ;;
        *'HTTP '*'response '[1-5][0-9][0-9]*) # GNU's Wget2
            said="${answer#*"HTTP "*"response "}"
            said="${said%%" [http://$address"*}"
            ;;
        *'nrecognized option'* | *'nvalid option'*)
            refuse 1 "this wget cannot send an announcement, and the image has no curl: $answer"
            ;;
        esac
        said="${said%%"$newline"*}"
        status="${said%"${said#???}"}"
        if [ -n "$status" ]; then
            answer="${said#"$status"}"
            answer="${answer# }"
        fi
    }

    # Asks until exectrail has accepted or refused the announcement.
    ask() {
        read_pid_ns
        start="$(date +%s)" || refuse 1 'cannot tell the time: is date in the image?'
        pause=0
        refusals=0
        told=
        while :; do
            case "$1" in
            curl) ask_with_curl ;;
            *) ask_with_wget ;;
            esac
            case "$status" in
            204)
                return
                ;;
            403)
                # An announcement needs evidence: an exec in the namespace that the kernel saw. The
                # exec of this client may have been too early; the next try executes it again.
                refusals=$((refusals + 1))
                if [ "$refusals" -ge 3 ]; then
                    refuse 1 "exectrail refuses ($status): $answer"
                fi
                ;;
            [1-5][0-9][0-9])
                refuse 1 "exectrail refuses ($status): $answer"
                ;;
            *)
                answer="${answer:-no answer}"
                ;;
            esac
            now="$(date +%s)" || refuse 1 'cannot tell the time: is date in the image?'
            waited=$((now - start))
            if [ "$waited" -ge "$patience" ]; then
                refuse 1 "exectrail at $address did not answer within $patience s: $answer
Is its container running, and its --init-address the same?"
            fi
            if [ -z "$told" ] && [ "$waited" -ge 3 ]; then
                told=1
                say "waiting for exectrail at $address: $answer"
            fi
            pause=$((pause < 3 ? pause + 1 : 3))
            sleep "$pause" || refuse 1 'cannot wait for exectrail: is sleep in the image?'
        done
    }

    for client in $clients; do
        case "$client" in
        announce)
            [ -x "$exectrail" ] || continue
            "$exectrail" announce --init-address "$address" --timeout "${patience}s" ||
                refuse 1 'exectrail announce has failed, see above'
            ;;
        curl)
            # A curl that lacks a library cannot ask.
            curl --disable --version >/dev/null 2>&1 || continue
            ask curl
            ;;
        *)
            command -v wget >/dev/null || continue
            choose_wget_options
            ask wget
            ;;
        esac
        say 'every exec in this workspace is recorded'
        exit 0
    done
    refuse 127 "it cannot announce itself to exectrail: there is no curl and no wget in the image, \
and no $exectrail; add one of them, or have the template mount exectrail"
) </dev/null || exit "$?"
