"""Token services that exchange an ID token for temporary credentials, as Google's and AWS's do, and an API of each that
accepts only these."""

import secrets
import time
import urllib.parse
import xml.sax.saxutils

import api

HOUR = 3600
ROLE = "arn:aws:iam::123456789012:role/work"
ISSUED = set()


def issue():
    secret = secrets.token_urlsafe()
    ISSUED.add(secret)
    return secret


def elements(value):
    """A JSON value as XML, in the form of AWS's query API."""
    if not isinstance(value, dict):
        return xml.sax.saxutils.escape(str(value))
    return "".join(f"<{name}>{elements(inner)}</{name}>" for name, inner in value.items())


class Request(api.Request):
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    def credential(self):
        for name in "subject_token", "WebIdentityToken":
            if name in self.form():
                return name, self.form()[name]
        return "", ""

    def public(self):
        """Whether the request has credentials that were issued here."""
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return not ISSUED.isdisjoint([bearer, self.headers.get("X-Amz-Security-Token")])

    def respond(self):
        action = self.form().get("Action")
        if self.path == "/v1/token" and self.person:
            self.send(
                200,
                {
                    "access_token": issue(),
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "token_type": "Bearer",
                    "expires_in": HOUR,
                },
            )
        elif action == "AssumeRoleWithWebIdentity" and self.person and self.form().get("RoleArn") == ROLE:
            self.send_as_aws(action, {"Credentials": self.credentials()})
        elif action == "AssumeRoleWithWebIdentity" and self.person:
            self.send(403, {"Error": {"Code": "AccessDenied", "Message": f"Not authorized to perform sts:{action}"}})
        elif action == "GetCallerIdentity" and not self.person:
            self.send_as_aws(action, {"Arn": "arn:aws:sts::123456789012:assumed-role/work/work"})
        elif self.path == "/me" and not self.person:
            self.send(200, {"sub": "alice"})
        else:
            self.send(404)

    def credentials(self):
        end = int(time.time()) + HOUR
        expiration = end if self.wants_json() else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
        return {
            "AccessKeyId": "ASIAEXAMPLE",
            "SecretAccessKey": secrets.token_urlsafe(),
            "SessionToken": issue(),
            "Expiration": expiration,
        }

    def wants_json(self):
        return "json" in self.headers.get("Accept", "")

    def send_as_aws(self, action, result):
        response = {f"{action}Response": {f"{action}Result": result}}
        if self.wants_json():
            self.send(200, response)
        else:
            self.send(200, elements(response), "text/xml")


if __name__ == "__main__":
    api.serve(Request)
