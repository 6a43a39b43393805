"""A handler for each of the packages that users of Lambda ship most, as its documentation shows it.

The keys are distributions; the values are the lines before the handler's definition.
"""

PACKAGES = {
    "aiohttp": "import aiohttp\nimport asyncio",
    "arrow": "import arrow\nnow = arrow.utcnow()",
    "attrs": "import attr\nfrom attrs import define, field",
    "aws-lambda-powertools": (
        "from aws_lambda_powertools import Logger, Metrics, Tracer\n"
        "from aws_lambda_powertools.event_handler import APIGatewayRestResolver\n"
        "from aws_lambda_powertools.utilities.typing import LambdaContext\n"
        "logger = Logger(service='payment')"
    ),
    "aws-requests-auth": "from aws_requests_auth.aws_auth import AWSRequestsAuth",
    "aws-xray-sdk": "from aws_xray_sdk.core import patch_all, xray_recorder\nimport botocore",
    "backoff": "import backoff",
    "beautifulsoup4": "from bs4 import BeautifulSoup",
    "boto3": (
        "import boto3\n"
        "from boto3.dynamodb.conditions import Key\n"
        "from botocore.config import Config"
    ),
    "cachetools": "from cachetools import TTLCache, cached",
    "certifi": "import certifi",
    "chardet": "import chardet",
    "click": "import click",
    "croniter": "from croniter import croniter",
    "cryptography": (
        "from cryptography.fernet import Fernet\n"
        "from cryptography.hazmat.primitives import hashes, serialization"
    ),
    "elasticsearch": "from elasticsearch import Elasticsearch, helpers",
    "fastapi": (
        "from fastapi import FastAPI, HTTPException\nfrom fastapi.responses import JSONResponse"
    ),
    "feedparser": "import feedparser",
    "flask": "from flask import Flask, jsonify, request\napp = Flask(__name__)",
    "google-auth": (
        "from google.oauth2 import service_account\nimport google.auth.transport.requests"
    ),
    "google-api-python-client": "from googleapiclient.discovery import build",
    "google-cloud-storage": "from google.cloud import storage",
    "gql": "from gql import Client, gql",
    "httpx": "import httpx",
    "jinja2": "from jinja2 import Environment, FileSystemLoader",
    "jmespath": "import jmespath",
    "jsonschema": "from jsonschema import ValidationError, validate",
    "lxml": "from lxml import etree, html",
    "mangum": "from mangum import Mangum",
    "marshmallow": "from marshmallow import Schema, fields",
    "numpy": "import numpy as np\nfrom numpy import linalg",
    "openai": "from openai import OpenAI",
    "openpyxl": "from openpyxl import load_workbook\nimport openpyxl.styles",
    "opensearch-py": "from opensearchpy import AWSV4SignerAuth, OpenSearch, RequestsHttpConnection",
    "orjson": "import orjson",
    "pandas": "import pandas as pd",
    "paramiko": "import paramiko",
    "phonenumbers": "import phonenumbers",
    "pillow": "from PIL import Image, ImageDraw\nimport PIL.ImageOps",
    "protobuf": (
        "from google.protobuf import json_format\nfrom google.protobuf.message import Message"
    ),
    "psycopg2-binary": "import psycopg2\nfrom psycopg2.extras import RealDictCursor",
    "pydantic": "from pydantic import BaseModel, Field, field_validator",
    "pydantic-settings": "from pydantic_settings import BaseSettings",
    "pyjwt": "import jwt\nfrom jwt import PyJWKClient",
    "pymongo": "from pymongo import MongoClient\nfrom bson import ObjectId",
    "pymysql": "import pymysql\nimport pymysql.cursors",
    "pynamodb": (
        "from pynamodb.models import Model\nfrom pynamodb.attributes import UnicodeAttribute"
    ),
    "pypdf": "from pypdf import PdfReader, PdfWriter",
    "python-dateutil": (
        "from dateutil import parser, tz\nfrom dateutil.relativedelta import relativedelta"
    ),
    "python-dotenv": "from dotenv import load_dotenv",
    "python-jose": "from jose import jwk, jwt\nfrom jose.utils import base64url_decode",
    "python-json-logger": "from pythonjsonlogger import jsonlogger",
    "pytz": "import pytz",
    "pyyaml": "import yaml\nfrom yaml import SafeLoader",
    "redis": "import redis\nfrom redis.exceptions import RedisError",
    "requests": "import requests\nfrom requests.adapters import HTTPAdapter",
    "requests-aws4auth": "from requests_aws4auth import AWS4Auth",
    "rsa": "import rsa",
    "sentry-sdk": (
        "import sentry_sdk\nfrom sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration"
    ),
    "simplejson": "import simplejson as json",
    "slack-sdk": "from slack_sdk import WebClient\nfrom slack_sdk.errors import SlackApiError",
    "sqlalchemy": "from sqlalchemy import create_engine, text\nfrom sqlalchemy.orm import Session",
    "stripe": "import stripe",
    "tenacity": "from tenacity import retry, stop_after_attempt",
    "twilio": "from twilio.rest import Client",
    "ujson": "import ujson",
    "urllib3": "import urllib3\nfrom urllib3.util import Retry",
    "xmltodict": "import xmltodict",
    "zeep": "from zeep import Client",
}
