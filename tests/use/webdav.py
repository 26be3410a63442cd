"""A WebDAV server with one directory, /files/, and in it one file: note.txt."""

import api

NOTE = b"good morning\n"
COLLECTION = "<d:resourcetype><d:collection/></d:resourcetype>"
FILE = f"<d:resourcetype/><d:getcontentlength>{len(NOTE)}</d:getcontentlength>"
RESPONSE = (
    "<d:response><d:href>%s</d:href><d:propstat><d:prop>%s</d:prop>"
    "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
)


class Request(api.Request):
    def respond(self):
        resources = {"/files/": COLLECTION, "/files/note.txt": FILE}
        if self.command == "PROPFIND" and self.path in resources:
            found = {self.path: resources[self.path]}
            if self.headers.get("Depth") == "1" and self.path == "/files/":
                found = resources
            responses = "".join(RESPONSE % item for item in found.items())
            text = f'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">{responses}</d:multistatus>'
            self.send(207, text, "application/xml")
        elif self.command == "GET" and self.path == "/files/note.txt":
            self.send(200, NOTE, "text/plain")
        else:
            self.send(404)


if __name__ == "__main__":
    api.serve(Request)
