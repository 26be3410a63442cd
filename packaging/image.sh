#!/bin/sh
# Writes TREE as an image for containers into ARCHIVE, with the time SOURCE_DATE_EPOCH. It needs no other program: an OCI
# archive (image-spec 1.1) is a tar of layers and of JSON documents, each named by its SHA-256.
set -eu
tree=$1 archive=$2 version=$3 architecture=$4
user=65532

layout=$(mktemp -d)
trap 'rm -r "$layout"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$layout/blobs/sha256"

# Moves a file to its name, and prints what others say about it.
blob() {
  sum=$(sha256sum "$1" | cut -d ' ' -f 1)
  size=$(wc -c <"$1")
  mv "$1" "$layout/blobs/sha256/$sum"
  printf '"mediaType":"%s","digest":"sha256:%s","size":%d' "$2" "$sum" "$size"
}

created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

# The directory of the logins is the only one that the user may write to.
mkdir -m 700 "$tree/pkce"
tar -C "$tree" -cf "$layout/layer" etc usr
tar -C "$tree" -rf "$layout/layer" --owner=$user --group=$user pkce
content=$(sha256sum "$layout/layer" | cut -d ' ' -f 1)
gzip -9n "$layout/layer"
layer=$(blob "$layout/layer.gz" application/vnd.oci.image.layer.v1.tar+gzip)

about=$(tr -d '\n' <<END
"org.opencontainers.image.title":"pkce-tools","org.opencontainers.image.version":"$version",
"org.opencontainers.image.created":"$created","org.opencontainers.image.licenses":"MIT OR Apache-2.0",
"org.opencontainers.image.description":"OAuth 2.0 logins with PKCE: one program for each step. Logins are stored in /pkce.
 There is no shell: pkce-login, pkce-logout, PKCE_SEAL and PKCE_OPEN do not work."
END
)
cat >"$layout/config" <<END
{"created":"$created","architecture":"$architecture","os":"linux","config":{"User":"$user:$user",
"Env":["PATH=/usr/bin","PKCE_HOME=/pkce"],"WorkingDir":"/pkce","Labels":{$about}},
"rootfs":{"type":"layers","diff_ids":["sha256:$content"]},
"history":[{"created":"$created","created_by":"make dist"}]}
END
config=$(blob "$layout/config" application/vnd.oci.image.config.v1+json)
cat >"$layout/manifest" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{$config},"layers":[{$layer}],
"annotations":{$about}}
END
manifest=$(blob "$layout/manifest" application/vnd.oci.image.manifest.v1+json)
cat >"$layout/index.json" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{$manifest,
"platform":{"architecture":"$architecture","os":"linux"},
"annotations":{"org.opencontainers.image.ref.name":"$version","io.containerd.image.name":"pkce-tools:$version"}}]}
END
echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
tar -C "$layout" -cf "$archive" oci-layout index.json blobs
