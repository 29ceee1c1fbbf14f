#!/usr/bin/env bash
# Shortens pip's output on stdin to one line a package, so that the first run shows progress and not addresses.
set -euo pipefail
while IFS= read -r line; do
    case $line in
        *"Looking in "* | *"Requirement already satisfied"* | *"Using cached"* | *"Downloading "* | *"Preparing metadata"* | "") ;;
        *"Getting requirements"* | *"Checking if build backend"* | *"Created wheel"* | *"Stored in directory"*) ;;
        "Collecting "*) printf '    %s\n' "${line%% (from*}" ;;
        *) printf '    %s\n' "$line" ;;
    esac
done
