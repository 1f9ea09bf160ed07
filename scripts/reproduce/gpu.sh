#!/usr/bin/env bash
# Train D2M-GAN (high and low level), the codec and the generator on a GPU, in blocks of at most ten minutes.
#
#   scripts/reproduce/gpu.sh bundle bundle.tar.gz      make the bundle (at most 60 MiB), where d2m is installed
#   scripts/reproduce/gpu.sh block bundle.tar.gz runs  train for one block, on the GPU machine; repeat until it says done
#   scripts/reproduce/gpu.sh export runs weights       weights with cards and the benchmark's rows, where d2m is installed
#   scripts/reproduce/gpu.sh dry-run FOLDER            all of it in small on a CPU, with the packages of a GPU machine only
#
# A block trains the first model that is not finished, then the next one, and ends before its time is over; a run that was
# interrupted goes on with the same losses. The GPU machine needs torch, lightning, numpy, scipy and safetensors, no
# network, and the minor version of Python that made the bundle. Settings, as environment variables: MINUTES of a block
# (9.5), STEPS_HIGH, STEPS_LOW, STEPS_CODEC, STEPS_GENERATOR, ACCELERATOR (auto), PYTHON (python3), MORE (further options
# of every training).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
minutes=${MINUTES:-9.5}
models=(high low codec generator)
declare -A steps=([high]=${STEPS_HIGH:-10000} [low]=${STEPS_LOW:-10000} [codec]=${STEPS_CODEC:-10000}
    [generator]=${STEPS_GENERATOR:-10000})
#: Seconds that are kept for the last evaluation and the state.
reserve=${RESERVE:-60}

stop() { echo "error: $1" >&2; exit 1; }

# The step of the last state of a run.
done_steps() {
    local log="$1/log.jsonl"
    [ -f "$log" ] && grep -o '"step": [0-9]*' "$log" | tail -n 1 | grep -o '[0-9]*$' || echo 0
}

finished() { [ "$(done_steps "$2/$1")" -ge "${steps[$1]}" ]; }

# Words of the command that trains a model.
command_of() {
    case $1 in
        high | low) echo "d2m-gan --data $2/data/prepared --modality motion --level $1" ;;
        codec) echo "codec --data $2/data/prepared" ;;
        generator) echo "generator --data $2/data/examples" ;;
    esac
}

unpack() {
    local bundle=$1 place=$2
    [ -f "$bundle" ] || stop "$bundle: no such file; make it with: gpu.sh bundle $bundle"
    if [ ! -f "$place/bundle.json" ]; then
        rm -rf "$place.part" && mkdir -p "$place.part"
        tar -xzf "$bundle" -C "$place.part" --no-same-owner && rm -rf "$place" && mv "$place.part" "$place"
    fi
    local made now
    made=$(grep -o '"python": "[0-9]*\.[0-9]*' "$place/bundle.json" | grep -o '[0-9.]*$')
    now=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [ "$made" = "$now" ] || stop "the bundle was made with Python $made and this is $now; set PYTHON"
}

block() {
    local bundle=$1 runs=$2 place began left words
    began=$SECONDS
    place=$runs/bundle
    mkdir -p "$runs"
    unpack "$bundle" "$place"
    # The machine's own packages come first; those of the bundle fill the gaps.
    for model in "${models[@]}"; do
        finished "$model" "$runs" && continue
        left=$("$python" -c "print(max(0, $minutes * 60 - ($SECONDS - $began) - $reserve))")
        if [ "$("$python" -c "print(int($left < 20))")" = 1 ]; then break; fi
        words=$(command_of "$model" "$place")
        echo "$model: from step $(done_steps "$runs/$model") of ${steps[$model]}, $("$python" -c "print(round($left / 60, 1))") minutes left"
        # shellcheck disable=SC2086  # words are options
        BUNDLE_SITE=$place/site timeout --signal=INT --kill-after=25 "$("$python" -c "print($left + $reserve - 25)")" \
            "$python" ${PYTHON_FLAGS:-} -P "$place/site/start.py" train $words --run "$runs/$model" \
            --steps "${steps[$model]}" --minutes "$("$python" -c "print($left / 60)")" \
            --accelerator "${ACCELERATOR:-auto}" --no-tensorboard ${MORE:-} || echo "$model: interrupted; the next block goes on"
    done
    for model in "${models[@]}"; do echo "$model: step $(done_steps "$runs/$model") of ${steps[$model]}"; done
    for model in "${models[@]}"; do finished "$model" "$runs" || { echo "not done; give the same command again"; return 0; }; done
    echo "done: scripts/reproduce/gpu.sh export $runs weights"
}

export_all() {
    local runs=$1 out=$2 source="d2m studio (scripts/reproduce/gpu.sh)"
    mkdir -p "$out"
    for model in "${models[@]}"; do
        [ -f "$runs/$model/best.ckpt" ] || { echo "$model: not trained yet"; continue; }
        "$python" -P -m d2m models export "$runs/$model/best.ckpt" -o "$out/$model.safetensors" --data "$source" --licence MIT
    done
    [ -n "${NO_BENCHMARK:-}" ] && return 0
    local rows=()
    for level in high low; do
        [ -f "$out/$level.safetensors" ] && rows+=(--weights "gan-$level=$out/$level.safetensors,$out/$level-motion.safetensors")
    done
    [ -f "$out/generator.safetensors" ] && rows+=(--weights "generator=$out/generator.safetensors")
    [ ${#rows[@]} -gt 0 ] && "$python" -P -m d2m benchmark studio -o "$out/benchmark" "${rows[@]}"
}

dry_run() {
    local folder=$1
    mkdir -p "$folder"
    "$python" "$here/gpu_bundle.py" "$folder/bundle.tar.gz" --songs 6 --examples 2 --seconds 6 --work "$folder/work"
    rm -rf "$folder/machine"
    "$python" "$here/bare_site.py" "$folder/machine"
    export STEPS_HIGH=4 STEPS_LOW=4 STEPS_CODEC=4 STEPS_GENERATOR=4 ACCELERATOR=cpu
    steps=([high]=4 [low]=4 [codec]=4 [generator]=4)
    export MORE="--batch 1 --evaluate-every 2 --checkpoint-every 1 --log-every 1 --samples-every 0"
    # -S hides the installed packages; what the machine has is linked.
    export PYTHON_FLAGS=-S PYTHONPATH="$folder/machine"
    block "$folder/bundle.tar.gz" "$folder/runs"
    unset PYTHONPATH PYTHON_FLAGS
    NO_BENCHMARK=${NO_BENCHMARK-1} export_all "$folder/runs" "$folder/weights"
}

case "${1:-}" in
    bundle) [ $# -ge 2 ] || stop "give the file to write"; shift; "$python" "$here/gpu_bundle.py" "$@" ;;
    block) [ $# -eq 3 ] || stop "give the bundle and the folder of the runs"; block "$2" "$3" ;;
    export) [ $# -eq 3 ] || stop "give the folder of the runs and one for the weights"; export_all "$2" "$3" ;;
    dry-run) [ $# -eq 2 ] || stop "give a folder"; dry_run "$(mkdir -p "$2" && cd "$2" && pwd)" ;;
    *) sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 1 ;;
esac
