"""Calls an API with the access token of the stored login `work`; needs only Python's standard library."""

import subprocess
import sys
import urllib.request

helper = subprocess.run(["pkce-token", "work", "--as", "bearer"], stdout=subprocess.PIPE, text=True)
if helper.returncode:
    sys.exit(helper.returncode)

request = urllib.request.Request("https://api.example.com/me")
# With add_header, urllib would send the token on to whatever host a redirect names.
request.add_unredirected_header("Authorization", helper.stdout.strip())
with urllib.request.urlopen(request, timeout=30) as response:
    print(response.read().decode())
