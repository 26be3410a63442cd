"""A Kubernetes API with one pod, good enough for `kubectl get pods`."""

import api

PODS = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]},
    ],
}


class Request(api.Request):
    def respond(self):
        path = self.path.partition("?")[0]
        if path == "/api":
            self.send(200, {"kind": "APIVersions", "versions": ["v1"]})
        elif path == "/apis":
            self.send(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": []})
        elif path == "/api/v1":
            self.send(200, PODS)
        elif path == "/api/v1/namespaces/default/pods":
            pod = {"metadata": {"name": f"pod-of-{self.person}", "namespace": "default"}}
            self.send(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod]})
        else:
            self.send(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})


if __name__ == "__main__":
    api.serve(Request)
