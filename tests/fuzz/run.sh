#!/usr/bin/env bash
# run.sh DIRECTORY [TARGET...]: runs each fuzz target for FUZZ_SECONDS (600), FUZZ_JOBS (2) at a time, with the vectors
# as the first inputs. A finding is a file in DIRECTORY/TARGET/found, and the status is 1.
set -euo pipefail
fuzz=$(cd "$(dirname "$0")" && pwd)
vectors=$fuzz/../vectors
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(document request redirect url id_token token_response metadata)

# The lines of standard input, a JSON string each, as files of a target's corpus.
seed() {
  mkdir -p "$directory/$1/corpus" "$directory/$1/found"
  local line n=0
  while read -r line; do
    n=$((n + 1))
    jq -j . <<<"$line" >"$directory/$1/corpus/seed-$n"
  done
}
seed document < <(jq -c '.cases[].body | strings' "$vectors/token_responses.json"
  jq -c '.jwks[] | tojson' "$vectors/idtoken.json")
seed request < <(jq -c '.cases[].request | strings' "$vectors/callback.json")
seed redirect < <(jq -c '.cases[].request | strings | "\u0001" + (capture("\\?(?<query>[^ ]*)").query | gsub("st-123"; "st"))' \
  "$vectors/callback.json")
seed url < <(jq -c '.[] | arrays[] | strings' "$vectors/url_safety.json"; jq -c '.build[][] ' "$vectors/wellknown.json")
seed id_token < <(jq -c '.cases[].id_token | strings | split(".") | select(length == 3) | .[0:2]
  | map(gsub("-"; "+") | gsub("_"; "/") | try @base64d catch "") | "\u0000" + (.[0]
  | gsub("\"alg\":\"[^\"]*\""; "\"alg\":\"EdDSA\"") | gsub("\"kid\":\"[^\"]*\""; "\"kid\":\"k\"")) + "\n" + .[1]' \
  "$vectors/idtoken.json")
seed token_response < <(jq -c '.cases[].body | strings | "\u0000\u0000\u0000" + .' "$vectors/token_responses.json")
seed metadata <<'SEEDS'
"\u0000\u0000\u0000{\"issuer\":\"ISSUER\",\"authorization_endpoint\":\"ISSUER/authorize\",\"token_endpoint\":\"ISSUER/token\",\"jwks_uri\":\"https://id.example/jwks\",\"code_challenge_methods_supported\":[\"S256\"]}"
"\u0000\u0000\u0000{\"resource\":\"ISSUER\",\"authorization_servers\":[\"ISSUER\"],\"issuer\":\"ISSUER\"}"
SEEDS

export CARGO_TARGET_DIR=$directory/build
# Without a sanitizer: the project has no unsafe code. The variable lets the stable compiler take the flags of coverage.
export RUSTC_BOOTSTRAP=1
for target in "${targets[@]}"; do
  cargo fuzz build --fuzz-dir "$fuzz" --sanitizer none "$target"
done
fuzz() {
  cargo fuzz run --fuzz-dir "$fuzz" --sanitizer none "$1" "$directory/$1/corpus" -- -close_fd_mask=2 -timeout=30 \
    -rss_limit_mb=4096 -max_len=65536 -len_control=200 -print_final_stats=1 -artifact_prefix="$directory/$1/found/" \
    -max_total_time="${FUZZ_SECONDS:-600}" >"$directory/$1/log" 2>&1
}
export -f fuzz
export fuzz directory
status=0
printf '%s\n' "${targets[@]}" | xargs -P "${FUZZ_JOBS:-2}" -I{} bash -c 'fuzz {}' || status=1
for target in "${targets[@]}"; do
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$directory/$target/log")
  found=$(find "$directory/$target/found" -type f | wc -l)
  echo "$target: $executions executions, $found findings"
done
[ "$status" -eq 0 ]
