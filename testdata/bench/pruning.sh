#!/usr/bin/env bash
# Prunes models of the evaluation kit and scores them: the tables of docs/pruning-results.md.
# usage: pruning.sh KIT CALIBRATION OUT [ONNXPASS]
# CALIBRATION holds one folder of dumped samples for each task (eval.py --dump-calib TASK CALIBRATION/TASK 520).
set -euo pipefail
kit=$1 calibration=$2 out=$3 onnxpass=${4:-onnxpass}
mkdir -p "$out"

# one MODEL TASK SPEC: the size, the error on held-out samples and the score.
one() {
  local file="$out/${1}_${3//[^a-z0-9.]/_}.onnx"
  "$onnxpass" -p "prune:$3" "$kit/models/$1.onnx" -d "$calibration/$2" -n 520 -o "$file" --target ort --force --no-cache --runtime-check off >"$file.txt" 2>&1 || { echo "$1 $3: $(head -1 "$file.txt")"; return; }
  echo "$1 $3: $(grep -E '^(prune +MACs left:|wrote)' "$file.txt" | tr -s ' ' | tr '\n' ' ') $(python3 "$kit/eval/eval.py" "$2" "$file" --ref kit --json)"
}

for left in 0.9 0.75 0.7 0.6 0.5; do one cifar10_resnet20 cifar10 "macs=$left"; done
for how in obs,compensate=none obs,compensate=bias obs,compensate=merge wanda flap l2 l1 random; do one cifar10_resnet20 cifar10 "macs=0.75,criterion=$how"; done
for how in l2 l1 wanda random; do one cifar10_resnet20 cifar10 "macs=0.75,criterion=$how,compensate=none"; done
for left in 0.9 0.8 0.7; do one efficientnet_lite0 imagenet "macs=$left"; done
one yolox_nano coco macs=0.85
one vww_mobilenetv1_025 vww macs=0.4
