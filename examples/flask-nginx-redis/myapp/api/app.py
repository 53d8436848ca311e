"""A list of products, kept in Redis. The first request fills it in; from then on every answer comes from Redis."""
import json
import os

import redis
from flask import Flask
from flask_cors import CORS
from flask_restful import Api, Resource

CATALOGUE = [
    {"id": 1, "name": "Espresso cup", "price": 6.50},
    {"id": 2, "name": "Milk jug", "price": 14.00},
    {"id": 3, "name": "Coffee grinder", "price": 89.90},
    {"id": 4, "name": "Paper filters", "price": 3.20},
]
KEY = "products"

app = Flask(__name__)
CORS(app)  # the page comes from another port than the API
api = Api(app)
store = redis.Redis(
    host=os.environ.get("REDIS_HOST", "redis-master"),
    socket_timeout=2,
    socket_connect_timeout=2,
    decode_responses=True,
)


class Products(Resource):
    def get(self):
        try:
            stored = store.lrange(KEY, 0, -1)
            if stored:
                return {"products": [json.loads(item) for item in stored], "source": "redis"}
            # One transaction: two first requests at the same time must not fill the list twice.
            with store.pipeline() as fill:
                fill.delete(KEY)
                fill.rpush(KEY, *(json.dumps(product) for product in CATALOGUE))
                fill.execute()
            return {"products": CATALOGUE, "source": "catalogue"}
        except redis.RedisError as error:
            return {"message": f"Redis does not answer: {error}"}, 503


api.add_resource(Products, "/api/products")
