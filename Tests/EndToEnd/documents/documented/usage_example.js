// Run sync
fetch('http://localhost:8000/sync/run', {
  method: 'POST',
  headers: {
    'Authorization': 'Bearer ' + token
  }
})
.then(res => res.json())
.then(data => {
  console.log(data);
  if (data.status === 'running') {
    // Poll status
    checkStatus();
  }
});

// Check status
function checkStatus() {
  fetch('http://localhost:8000/sync/status', {
    headers: {
      'Authorization': 'Bearer ' + token
    }
  })
  .then(res => res.json())
  .then(data => {
    if (data.status === 'running') {
      // Still running, check again after 5 seconds
      setTimeout(checkStatus, 5000);
    } else {
      // Finished, get logs
      getLogs();
    }
  });
}

// Get logs
function getLogs() {
  fetch('http://localhost:8000/sync/log', {
    headers: {
      'Authorization': 'Bearer ' + token
    }
  })
  .then(res => res.json())
  .then(data => {
    console.log(data.log);
  });
}
