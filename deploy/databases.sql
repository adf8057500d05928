-- Run once, when PostgreSQL's volume is empty; the database mlflow is made by POSTGRES_DB.
CREATE DATABASE prefect OWNER zoo;
