"""The examples that hand keys to clouds, under mocks and with the real SDKs."""
