#!/bin/sh
# One simulated night, live: tapewatch watches demo-night/ while a simulated camera writes into it.
# `make demo` calls it from the root of the checkout, once .venv is set up.
set -eu

night=demo-night
tapewatch=.venv/bin/tapewatch
daemon=
helper=

# Runs a command that takes its time, so that a signal to this script is heeded at once.
attend() {
    "$@" &
    helper=$!
    wait "$helper"
    helper=
}

# Returns the daemon's exit code.
stop_daemon() {
    stopped=$daemon
    daemon=
    kill -TERM "$stopped" 2>/dev/null || true
    wait "$stopped"
}

# However this ends, nothing outlives it.
clean_up() {
    [ -z "$helper" ] || kill -TERM "$helper" 2>/dev/null || true
    [ -z "$daemon" ] || stop_daemon || true
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
    printf '\n== %s\n' "$*"
}

rm -rf "$night"
mkdir "$night"
# No blank line and two words a line at least, so that every TAPE program can read it too.
cat >"$night/tape.par" <<PAR
WORKDIR  .   # the folder of this file
NBIAS    5   # frames that complete a set of biases,
NDARK    5   # of darks of one exposure time,
NFLAT    5   # of flats of one filter
SETQUIET 10  # seconds without a new frame after which fewer will do
PAR

say "tapewatch watches $night/, and a camera begins its night (what it writes: $night/camera.txt)"
"$tapewatch" run --par "$night/tape.par" &
daemon=$!
attend "$tapewatch" simulate "$night" --size 512 --bias 5 --darks 5 --dark-exposures 60,120 \
    --flats 5 --filters R,V --objects 10 --faults slow,reopened,renamed 2>"$night/camera.txt"
attend "$tapewatch" status --par "$night/tape.par" --wait 40 >/dev/null
stop_daemon

say "what became of every frame: tapewatch status --par $night/tape.par"
"$tapewatch" status --par "$night/tape.par"
say "the masters: tapewatch masters --par $night/tape.par"
"$tapewatch" masters --par "$night/tape.par"
say "where to look"
cat <<END
$night/w*.fits               calibrated frames, beside the raw ones, and the masters wbias, wdark..., wflat...
$night/w*.list               which raw frame is what; wobj.list is what TAPE's photometry reads next
$night/.tapewatch/           the log (tapewatch.jsonl) and the state file
tapewatch why FILE           why a frame is in the state it is in; tapewatch is $tapewatch here
END
