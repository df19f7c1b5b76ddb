//! Bedrock requests and replies.
