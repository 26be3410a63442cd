#!/bin/sh
# Exchanges the ID token of the stored login `work` for temporary credentials of a role, for the AWS CLI and SDKs. Save
# it, executable, as /usr/local/bin/aws-credentials, and in ~/.aws/config write:
#
#   [profile work]
#   region = eu-central-1
#   credential_process = /usr/local/bin/aws-credentials
#
# Replace the role and the region. Requires curl 7.76 or later and jq. In bash, a single command needs neither:
#
#   AWS_ROLE_ARN=arn:aws:iam::123456789012:role/work \
#     AWS_WEB_IDENTITY_TOKEN_FILE=<(pkce-token work --id-token -r id_token | tr -d '\n') COMMAND
set -eu

token=$(pkce-token work --id-token -r id_token)
response=$(printf %s "$token" |
  curl --silent --show-error --fail-with-body --max-time 30 --header 'Accept: application/json' \
    --data Action=AssumeRoleWithWebIdentity --data Version=2011-06-15 --data RoleSessionName=work \
    --data-urlencode RoleArn=arn:aws:iam::123456789012:role/work --data-urlencode WebIdentityToken@- \
    https://sts.eu-central-1.amazonaws.com/) || {
  status=$?
  [ -z "$response" ] || printf '%s\n' "$response" >&2
  exit "$status"
}
printf %s "$response" |
  jq '.AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult.Credentials |
    { Version: 1, AccessKeyId, SecretAccessKey, SessionToken, Expiration: (.Expiration | todate) }'
