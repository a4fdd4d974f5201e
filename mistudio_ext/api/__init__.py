"""HTTP: handlers, websocket and the server application. The only place that knows tornado."""
