// `/` and every path below `/vault` that names no file are the page's own.
function handler(event) {
  var request = event.request;
  if (request.uri === "/" || !request.uri.split("/").pop().includes(".")) {
    request.uri = "/vault/index.html";
  }
  return request;
}
