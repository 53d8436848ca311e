#!/bin/sh
# exec: gunicorn becomes process 1 and gets the signals.
exec gunicorn --workers 4 --bind 0.0.0.0:8000 --access-logfile - app:app
