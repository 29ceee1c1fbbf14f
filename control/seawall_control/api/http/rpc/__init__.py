"""Every RPC of every registered service as JSON over HTTP, from descriptors.

    POST /api/v1/{package.Service}/{Method}     the request as a JSON object
    GET  /api/v1/{package.Service}/{Method}     its fields as query parameters, for RPCs that change nothing

reading.py makes the request message, context.py is what the servicer takes for a gRPC call, methods.py finds
the RPC, calls its servicer in this process and answers. The mapping is that of proto3 JSON
(https://protobuf.dev/programming-guides/json/); names of fields are those of the proto, and lowerCamelCase is
read too. There are no `google.api.http` paths: the paths that people asked for are written by hand
(http/events.py and its neighbours), and for the rest an annotation at every RPC would say again what its name
says.
"""
