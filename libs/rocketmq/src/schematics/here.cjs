// The folder of this file, for ESM and CommonJS alike.
exports.here = __dirname;
