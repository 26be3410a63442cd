#!/bin/sh
# Prints the newest message of a mailbox with the stored login `work`. Replace the address and the host. If there is no
# token, pkce-token says why, and curl is denied the login.
pkce-token work --as curl |
  curl --silent --show-error --config - 'imaps://alice%40example.com@imap.example.com/INBOX;MAILINDEX=*'
